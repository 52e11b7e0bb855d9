//! The panel's texts in Arabic. A screen has room for three lines, two where there are buttons or a hint; what is empty is
//! left out.

use super::super::names::of_person;
use super::super::script::{as_code, as_name};
use super::super::text::{date, printable, size};
use super::super::view::{
    BackupStanding, CloudStanding, ErrandEnd, Fault, HeldReason, ImportFile, News, Obstacle, Question, RecordKind,
    Unlocking, UsbStanding, UsbStatus, UsbTrouble,
};
use super::{Ago, Asked, CLOUD_SECTION, Note, Strings, Told};

pub(super) static STRINGS: Strings = Strings {
    welcome: "أهلا",
    language_name: "العربية",
    explain_code: ["يفتح إن نسي الرمز", "اكتبه وأقفل ورقته", "", ""],
    explain_code_hint: "إظهاره",
    weak_power: "الكهرباء ضعيفة",
    too_hot: "الجهاز ساخن جدا",
    begin: "ابدأ",
    setup_file: "ملف الإعداد",
    setup_file_text: mistake,
    several_setup_files: several,
    old_disk: "نقلت السجلات",
    old_disk_text: |bytes| {
        [
            format!("أخرج قرص {}", size(bytes, UNITS)),
            "مقفل. يمحى بحاسوب".into(),
            String::new(),
            String::new(),
        ]
    },
    import_file: "ملف السجلات",
    import_file_text: |file| match file {
        ImportFile::Mistake { line } => mistake(line),
        ImportFile::StillThere => lines(["ما زال على البطاقة", "احذفه بحاسوب", "", ""]),
        ImportFile::Several => several(),
        ImportFile::SameEmail { names } => same_email(names),
    },
    go_on: "متابعة",
    choose_pin: "رمز سري جديد",
    choose_pin_text: |fewest| [format!("من {fewest} إلى 12 رقما"), String::new()],
    repeat_pin: "أعد الرمز",
    repeat_pin_text: ["اكتبه مرة ثانية", ""],
    setting_up: "تجهيز",
    setting_up_text: "إنشاء المفاتيح",
    write_code: "انسخه ثم OK",
    wrong_group: |group| format!("خطأ: مجموعة {group}"),
    write_code_hint: "نسخته على ورقة",
    code_hidden_text: ["أخفي الرمز: لم يلمس", "زر منذ 15 دقيقة"],
    code_hidden_hint: "إظهاره",
    check_code: "تحقق من الرمز",
    check_code_text: |group| [format!("المجموعة {group} من الورقة"), String::new()],
    locked: "مقفل: اكتب الرمز",
    locked_text: ["", "نسيته؟ أطل ضغط OK"],
    locked_use_code: ["", "رمز الاسترداد: أطل OK"],
    hold_deletes: "أطل ضغط OK للحذف",
    wait: "انتظر",
    wait_text: "رموز خاطئة كثيرة",
    wait_hold: "نسيته؟ أطل ضغط OK",
    wait_use_code: "استعمل رمز الاسترداد",
    wait_hold_for_code: "أطل ضغط OK لكتابته",
    wait_leave: "أطل ضغط OK للخروج",
    enter_code: "رمز الاسترداد",
    enter_code_text: |_| [String::new(), "رجوع: ما قبلها".into()],
    unlocking: "يفتح الجهاز",
    moment: "لحظة من فضلك",
    checking: "فحص الرمز",
    changing: "حفظ الرمز",
    locking: "يقفل الجهاز",
    open: "الجهاز مفتوح",
    menu: "قائمة",
    no_network: "لا توجد شبكة",
    no_network_text: ["افحص الكابل والراوتر", ""],
    no_network_to_pair: ["افحص الكابل والراوتر", "ثم اربط من جديد", "", ""],
    back: "رجوع",
    address_changed: "تغير العنوان",
    address_before: |address| format!("كان {}", as_code(address)),
    address_pair_again: "اربط الهواتف ثانية",
    address_by_router: |before| ["أو ثبت في الراوتر:".into(), as_code(before)],
    address_hide: ["كلها تعمل؟ أطل OK", ""],
    phones_short: thousands,
    need_help: |count| format!("{} تنتظر", thousands(count)),
    clock_good_short: "الساعة مضبوطة",
    clock_hand_short: "ضبطت الساعة يدويا",
    clock_bad_short: "الساعة لم تضبط",
    disk_short: |percent| {
        if percent < 100 {
            format!("{percent}%")
        } else {
            "ممتلئ".into()
        }
    },
    status: "الحالة",
    phones_in_24_h: "هواتف 24 س",
    held: "للمساعدة",
    staff: "العاملون",
    staff_title: "تغيير العاملين؟",
    staff_figures: ["يغادرون", "جدد", "كلمات مرور", "تغييرات", "سجلات"],
    staff_take: "تطبيق",
    no_staff: "لا عاملين بعد",
    no_staff_text: ["لا يدخل أحد بعد", "القائمة: العاملون"],
    menu_new_code: "رمز استرداد جديد",
    menu_restart: "إعادة تشغيل",
    restart: "إعادة التشغيل؟",
    restart_text: ["لا تعمل الهواتف معه", "حتى يفتح من هنا", ""],
    restart_now: "إعادة",
    restarting: "إعادة التشغيل",
    restarting_text: ["يمكن فتحه", "بعد دقيقة"],
    emergency: "وصول للطوارئ",
    emergency_for: |minutes| format!("طوارئ {minutes} د"),
    emergency_left: "الوقت الباقي",
    emergency_logged: "كل قراءة تسجل",
    emergency_end: "إنهاء",
    emergency_over: "انتهت الطوارئ",
    emergency_nobody: ["لم يقرأ أحد", "أي سجل"],
    errand_at_work: "جار العمل",
    errand_ended,
    clock: "الساعة",
    clock_good: "مضبوطة",
    clock_hand: "يدويا",
    larger_disk: "قرص أكبر",
    set_clock: "ضبط الساعة",
    set_clock_text: ["بتوقيت UTC العالمي", ""],
    set_clock_next: "التالي",
    set_clock_take: "ضبط",
    clock_bad: "غير مضبوطة",
    disk: "القرص",
    disk_used: |percent| format!("ممتلئ {percent}%"),
    disk_nearly_full: "القرص يمتلئ",
    disk_get_help: "اطلب قرصا أكبر",
    disk_full: "القرص ممتلئ",
    disk_full_text: ["العمل في الهواتف", "اطلب المساعدة الآن"],
    disk_takes_nothing: "لا يقبل سجلات جديدة",
    disk_beside: |percent| format!("قرص {percent}%"),
    about: "عن الجهاز",
    version: "الإصدار",
    fingerprint: "مفتاح الجهاز",
    menu_pair: "ربط هاتف",
    menu_change_pin: "تغيير الرمز",
    menu_keys: "طرق الفتح",
    keys: "طرق الفتح",
    key_names: [
        "الرمز وحده",
        "الرمز والذاكرة",
        "الذاكرة وحدها",
        "الرمز وهذا الجهاز",
        "هذا الجهاز وحده",
    ],
    key_texts: [
        ["السارق بحاجة إلى", "معرفة الرمز", ""],
        ["السارق بحاجة إليهما", "أبعد الذاكرة عنه", ""],
        ["يفتح عند التشغيل", "وسارقهما يقرأ الكل", ""],
        ["بالرمز، وهنا فقط", "والقرص وحده لا يفتح", ""],
        ["يفتح وحده. لا يحمي", "إلا قرصا دون جهازه", ""],
    ],
    key_no_box: ["لا مفتاح في الجهاز", "يمكن استعماله", ""],
    key_use: "اختيار",
    key_remove: "إزالة",
    locked_needs_stick: ["صل الذاكرة أولا", ""],
    locked_other_box: ["جهاز آخر: أطل OK", ""],
    locked_no_box_key: ["لا مفتاح هنا: أطل OK", ""],
    locked_not_alone: ["قرص جهاز آخر: الرمز", ""],
    menu_lock: "قفل الآن",
    menu_power_off: "إيقاف التشغيل",
    language: "اللغة",
    choose: "اختيار",
    phones: "الهواتف",
    no_phones: ["لا هاتف مربوط", "اربط من القائمة"],
    phone: "هاتف",
    seen: |ago| match ago {
        Ago::Now => "اتصل الآن".into(),
        Ago::Minutes(minutes) => format!("اتصل قبل {minutes} د"),
        Ago::Hours(hours) => format!("اتصل قبل {hours} س"),
        Ago::Days(days) => match Days::of(days) {
            Days::One => "اتصل قبل يوم".into(),
            Days::Two => "اتصل قبل يومين".into(),
            Days::Few(days) => format!("اتصل قبل {days} أيام"),
            Days::Many(days) => format!("اتصل قبل {days} يوما"),
            Days::Hundreds(days) => format!("اتصل قبل {days} يوم"),
        },
    },
    phone_good: "مسموح له",
    phone_stuck: "متوقف: أعد التطبيق",
    phone_full: "أرسل كثيرا: أبلغ",
    phone_ahead: ["عنده أكثر من الجهاز", "أرسل الكل (1.5)"],
    phone_revoked: ["ممنوع من الجهاز", ""],
    leave: "رجوع",
    revoke: "منع",
    revoke_title: "منع الهاتف؟",
    revoke_text: "يمنع نهائيا",
    present_pin: "الرمز الحالي",
    present_pin_text: ["اكتب رمز الفتح", ""],
    pin_changed: "تغير الرمز",
    pin_changed_text: ["يفتح الجديد وحده", "أخبر زملاءك", ""],
    pin_kept: "لم يتغير الرمز",
    pin_kept_text: ["ما زال القديم يفتح", "حاول مرة أخرى", ""],
    power_off: "إيقاف التشغيل؟",
    power_off_text: ["لا تعمل الهواتف معه", "حتى يشغل من جديد", ""],
    power_off_now: "إيقاف",
    off: "إيقاف التشغيل",
    off_text: ["لا تفصله بعد. انتظر", "حتى يقول ذلك هنا", ""],
    unplug: "افصله الآن",
    unplug_text: ["السجلات محفوظة", "ستنطفئ الشاشة"],
    pair: "امسح QR",
    pair_keep: ["OK: إبقاء", ""],
    pair_kept: ["OK: مؤقت", ""],
    pair_close: ["أطل: غلق", ""],
    pair_stays: "مفتوح",
    pair_shade: ["قلل الضوء", ""],
    paired: "ربط هاتف",
    paired_text: "هل هو من هواتفكم؟",
    unnamed_phone: |number| format!("هاتف {number}"),
    keep: "إبقاء",
    undo: "تراجع",
    news,
    cloud: "السحابة",
    cloud_standing: |standing| match standing {
        CloudStanding::NeverSetUp => [
            "لم تضبط بعد. انظر".into(),
            format!("{} في الدليل", as_code(CLOUD_SECTION)),
        ],
        CloudStanding::NoNetwork => one("بانتظار الشبكة"),
        CloudStanding::Waiting => one("بانتظار موعدها"),
        CloudStanding::Done(minutes) => [done(Ago::of_minutes(minutes)), String::new()],
        CloudStanding::Receiving => one("يستلم السجلات"),
        CloudStanding::Sending(sent, total) => [format!("أرسل {sent}"), format!("من {total}")],
        CloudStanding::Refused => one("اطلب مفتاحا جديدا"),
        CloudStanding::Inactive => one("أوقفتها مؤسستكم"),
        CloudStanding::NoClinic => lines(["لا عيادة لهذا الجهاز", "اسأل مؤسستك"]),
        CloudStanding::NoClock => one("الساعة غير مضبوطة"),
        CloudStanding::Failed => one("لم تنجح، وستعاد"),
        CloudStanding::Settings => one("إعداد خاطئ: للدعم"),
    },
    cloud_waiting: "للإرسال",
    cloud_held: "للمساعدة",
    cloud_sync: "مزامنة",
    back_button: "رجوع",
    cloud_beside: |count| format!("بقي {}", thousands(count)),
    cloud_key_left: ["مفتاح السحابة باق", "على البطاقة: احذفه", "", ""],
    backup: "نسخة احتياطية",
    backup_done: done,
    backup_none: "لا نسخة احتياطية بعد",
    backup_old: "النسخة قديمة",
    backup_failing: "توقف النسخ",
    keys_at_work: |percent| format!("مفاتيح جديدة: {percent}%"),
    keys_need_code: "يلزم رمز جديد",
    keys_no_room: "لا مكان للمفاتيح",
    keys_failed: "لم تتغير المفاتيح",
    backup_standing: |standing| match standing {
        BackupStanding::Away => "ذاكرة النسخ غير هنا",
        BackupStanding::Following => "كل شيء على الذاكرة",
        BackupStanding::Copying(_) => "نسخ السجلات",
        BackupStanding::Full => "الذاكرة ممتلئة",
        BackupStanding::Failed => "لم تنجح، وستعاد",
        BackupStanding::WeakPower => "الكهرباء ضعيفة",
        BackupStanding::AnotherHubs => "ذاكرة جهاز آخر",
        BackupStanding::Unreadable => "P41 الذاكرة لا تقرأ",
    },
    backup_now: "انسخ",
    backup_use: "اختيار",
    backup_stick: "ذاكرة للنسخ؟",
    backup_stick_text: |name, bytes| {
        [
            as_name(&printable(name, NAME)),
            format!("{}: لا يمحى شيء", size(bytes, UNITS)),
            String::new(),
        ]
    },
    backup_yes: "نعم",
    usb: "ذاكرة محمولة",
    usb_standing,
    usb_start: "ابدأ",
    usb_arrived: "وصلت",
    help: "بحاجة للمساعدة",
    help_none: ["لا شيء ينتظر", "المساعدة"],
    help_kind,
    help_reason,
    help_try: "أعد",
    age,
    lock: "قفل الجهاز؟",
    lock_text: ["لا تعمل الهواتف معه", "حتى يفتح من هنا", ""],
    lock_now: "قفل",
    cancel: "إلغاء",
    formatting: "تهيئة القرص",
    formatting_text: "لا تطفئ الجهاز",
    moving: "نقل السجلات",
    moving_text: "قد يستغرق ساعة",
    repairing: "إصلاح القرص",
    restoring: "استعادة السجلات",
    question,
    no: "لا",
    which_disk_card: "البطاقة",
    which_disk_used: "آخر مرة",
    disk_size: |bytes| size(bytes, UNITS),
    which_disk_next: "التالي",
    fault: "مشكلة",
    delete_key: "حذف",
    note: note_text,
    fault_text,
};

/// Characters of a name that fit in a line.
const NAME: usize = 20;

fn lines<const N: usize>(text: [&str; N]) -> [String; N] {
    text.map(String::from)
}

fn one(text: &str) -> [String; 2] {
    lines([text, ""])
}

/// A line's number is as the editor shows it.
fn mistake(line: Option<usize>) -> [String; 4] {
    let first = line.map_or_else(
        || "تعذرت قراءته".into(),
        |line| format!("خطأ في سطر {}", as_code(&line.to_string())),
    );
    [first, "أصلحه وأعد التشغيل".into(), String::new(), String::new()]
}

fn several() -> [String; 4] {
    lines(["هناك ملفان. اترك", "واحدا وأعد التشغيل", "", ""])
}

/// A short count with its thousands written out.
fn thousands(count: &str) -> String {
    match count.strip_suffix('k') {
        Some(thousands) => format!("{thousands}000"),
        None => count.into(),
    }
}

/// How days are counted: one and two are words of their own; 3 to 10 take the plural, 11 to 99 the singular as an object,
/// and so it goes on within each hundred.
enum Days {
    One,
    Two,
    Few(u32),
    Many(u32),
    Hundreds(u32),
}

impl Days {
    const fn of(days: u32) -> Self {
        match (days, days % 100) {
            (1, _) => Self::One,
            (2, _) => Self::Two,
            (_, 3..=10) => Self::Few(days),
            (_, 11..=99) => Self::Many(days),
            _ => Self::Hundreds(days),
        }
    }
}

/// So many digits, of which there are 3 to 99.
fn digits(digits: usize) -> String {
    match digits {
        3..=10 => format!("{digits} أرقام"),
        _ => format!("{digits} رقما"),
    }
}

fn done(ago: Ago) -> String {
    match ago {
        Ago::Now => "تمت الآن".into(),
        Ago::Minutes(minutes) => format!("تمت قبل {minutes} د"),
        Ago::Hours(hours) => format!("تمت قبل {hours} س"),
        Ago::Days(days) => match Days::of(days) {
            Days::One => "تمت قبل يوم".into(),
            Days::Two => "تمت قبل يومين".into(),
            Days::Few(days) => format!("تمت قبل {days} أيام"),
            Days::Many(days) => format!("تمت قبل {days} يوما"),
            Days::Hundreds(days) => format!("تمت قبل {days} يوم"),
        },
    }
}

fn errand_ended(end: ErrandEnd) -> [String; 4] {
    let text = match end {
        ErrandEnd::StaffTaken => ["أخذ الملف ومحي", "ومن غادر لا يدخل"],
        ErrandEnd::StaffFileLeft => ["أخذ الملف. احذفه من", "البطاقة بحاسوب"],
        ErrandEnd::NoStaffFile => ["لا يوجد clinic.json", "ضعه على البطاقة"],
        ErrandEnd::StaffUnchanged => ["لا جديد في الملف", "لم يتغير شيء"],
        ErrandEnd::StaffOfCloud => ["هم في السحابة", "اسأل مؤسستك"],
        ErrandEnd::CodeRenewed => ["الرمز الجديد وحده", "صالح. مزق القديم"],
        ErrandEnd::Unlocking(Unlocking::Pin) => ["الرمز وحده يفتح", "الآن، بلا ذاكرة"],
        ErrandEnd::Unlocking(Unlocking::PinAndStick) => ["يفتح بالرمز والذاكرة", "ونزعها يقفله"],
        ErrandEnd::Unlocking(Unlocking::Stick) => ["الذاكرة تفتح الجهاز", "ونزعها يقفله"],
        ErrandEnd::Unlocking(Unlocking::NoStick) => ["الذاكرة وحدها لا", "تفتح. الرمز يفتح"],
        ErrandEnd::Unlocking(Unlocking::PinAndBox) => ["الرمز يفتح هنا فقط", "وإلا رمز الاسترداد"],
        ErrandEnd::Unlocking(Unlocking::Box) => ["يفتح وحده عند", "التشغيل، هنا فقط"],
        ErrandEnd::Unlocking(Unlocking::NoBox) => ["هذا الجهاز وحده لا", "يفتح. الرمز يفتح"],
        ErrandEnd::BoxFailed => ["مفتاح الجهاز لا يرد", "اختر طريقة أخرى"],
        ErrandEnd::NoStick => ["لا توجد ذاكرة USB", "صلها وحاول ثانية"],
        ErrandEnd::SeveralSticks => ["أكثر من ذاكرة USB", "اترك واحدة وحاول"],
        ErrandEnd::OtherKeyFile => ["ملف hub.key فيها", "ليس مفتاحا. بدلها"],
        ErrandEnd::StickFailed => ["لم تقرأ الذاكرة أو", "لم تكتب. جرب غيرها"],
        ErrandEnd::PinTooShort => ["الرمز وحده 8 أرقام", "أو أكثر. غيره أولا"],
        ErrandEnd::EmergencyOpen => ["30 دقيقة لقراءة كل", "سجل. القراءة تسجل"],
        ErrandEnd::NoLargerDisk => ["لا قرص آخر يكفي", "صل قرصا وحاول ثانية"],
        ErrandEnd::ClockSet => ["ضبطت الساعة. بعد كل", "إيقاف اضبطها ثانية"],
        ErrandEnd::ClockKnown => ["الوقت من الشبكة أو", "الشريحة. لا شيء يضبط"],
        ErrandEnd::ClockBack => ["مضى هذا الوقت. تقدم", "ولا تؤخر. لم تتغير"],
        ErrandEnd::BackupStick => ["اترك الذاكرة هنا", "واحفظ الورقة بعيدا"],
        ErrandEnd::Failed => ["لم ينجح. لم يتغير", "شيء. حاول ثانية"],
        ErrandEnd::SeveralStaffFiles => return several(),
        ErrandEnd::StaffMistake { line } => {
            let [what, ..] = mistake(line);
            return [what, "لم يتغير شيء".into(), String::new(), String::new()];
        }
        ErrandEnd::SameEmail { names } => return same_email(names),
    };
    let [first, second] = lines(text);
    [first, second, String::new(), String::new()]
}

fn same_email([one, other]: [String; 2]) -> [String; 4] {
    [
        "بريد واحد لشخصين:".into(),
        of_person(&one),
        of_person(&other),
        "أعط كلا منهما بريدا".into(),
    ]
}

const fn help_kind(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Patient => "مريض",
        RecordKind::Visit => "زيارة",
        RecordKind::Form => "استمارة",
        RecordKind::Vitals => "قياسات",
        RecordKind::Problem => "تشخيص",
        RecordKind::Appointment => "موعد",
        RecordKind::Prescription => "وصفة",
        RecordKind::Dispensed => "دواء صرف",
        RecordKind::Other => "سجل",
    }
}

const fn help_reason(reason: HeldReason) -> &'static str {
    match reason {
        HeldReason::NoRight => "لا حق للمستخدم",
        HeldReason::BelongsToNothing => "المريض غير موجود",
        HeldReason::Unreadable => "لا يستطيع قراءته",
    }
}

fn age(ago: Ago) -> String {
    match ago {
        Ago::Now => "الآن".into(),
        Ago::Minutes(minutes) => format!("{minutes} د"),
        Ago::Hours(hours) => format!("{hours} س"),
        Ago::Days(days) => format!("{days} ي"),
    }
}

fn note_text(note: Note) -> [String; 2] {
    let text = match note {
        Note::TooShort(min) => format!("الأقل {}", digits(min)),
        Note::TooLong(max) => format!("الأكثر {}", digits(max)),
        Note::Mismatch => "الرمزان مختلفان".into(),
        Note::TooSimple => "سهل: اختر غيره".into(),
        Note::WrongPin(1) => "خطأ: بقيت محاولة".into(),
        Note::WrongPin(tries) => format!("خطأ. المحاولات: {}", tries.min(99)),
        Note::MistypedGroup => "خطأ: أعد المجموعة".into(),
        Note::WrongCode => "رمز خاطئ: ابدأ من 1".into(),
        Note::Cleared => "محيت لطول الانتظار".into(),
    };
    [text, String::new()]
}

fn news(news: News) -> Told {
    let (title, text) = match news {
        News::NotPaired(Obstacle::TooManyPhones) => ("لم يربط الهاتف", ["256 هاتفا هو الحد", "اتصل بالدعم الفني"]),
        News::NotPaired(Obstacle::DiskFull) => ("لم يربط الهاتف", ["امتلأ قرص البيانات", "اتصل بالدعم الفني"]),
        News::NotPaired(Obstacle::NotWritten) => ("لم يربط الهاتف", ["لم يحفظ. امسح QR", "ثانية، أو اطلب الدعم"]),
        News::RefusedForNow(Obstacle::DiskFull) => ("امتلأ قرص البيانات", ["ممنوع حتى القفل", "امنعه بعدها ثانية"]),
        News::RefusedForNow(_) => ("تعذر الحفظ", ["ممنوع حتى القفل", "امنعه بعدها ثانية"]),
        News::PairingEnded => ("انتهى وقت الربط", ["مضت 15 دقيقة. عد", "إليه من القائمة"]),
        News::SomeLeft => ("ما زالت تنتظر", ["لم يضع شيء. راجع", "الحقوق أو اطلب الدعم"]),
        News::AllTaken => ("قبلت كلها", ["لا شيء ينتظر", ""]),
        News::Restored => ("استعيدت النسخة", ["لا تشغل القديم أبدا", "انظر هواتف عليها !"]),
        News::NoRoomForKeys => ("القرص ممتلئ", ["لا مكان للمفاتيح", "القائمة: قرص أكبر"]),
        News::KeysNotChanged => ("لم تتغير المفاتيح", ["ستعاد المحاولة. إن", "بقي هذا اتصل بالدعم"]),
        News::NotTakenOver => ("تعذر التغيير", ["بقي كما كان. أطفئه", "وشغله أو اطلب الدعم"]),
        News::LogBroken => ("خلل في سجل الدخول", ["السجل ناقص. تابع", "العمل واتصل بالدعم"]),
        News::Repaired => ("أصلح القرص", ["قد ضاع بعض السجلات", "لا تمسح أي هاتف"]),
        News::Damaged => ("سجلات تالفة", ["بعضها لا يقرأ", "لا تمسح أي هاتف"]),
    };
    let [first, second] = text;
    Told {
        title,
        text: [first, second, "", ""],
    }
}

fn usb_standing(usb: &UsbStatus) -> [String; 2] {
    match usb.standing {
        UsbStanding::NeverSetUp => one("لم تضبط. انظر الدليل"),
        UsbStanding::Idle => ["أدخل الذاكرة ثم ابدأ".into(), as_code(&printable(&usb.fingerprint, 21))],
        UsbStanding::Taking => one("يقرأ الرد، لا تنزعها"),
        UsbStanding::Packing(rows) => [format!("يكتب {}", rows.min(999_999)), "لا تنزع الذاكرة".into()],
        UsbStanding::Done { number, rows, .. } => [
            format!("{}: كتب {}", number.min(9999), rows.min(99_999)),
            "انزع الذاكرة".into(),
        ],
        UsbStanding::Trouble(trouble) => usb_trouble(trouble),
    }
}

fn usb_trouble(trouble: UsbTrouble) -> [String; 2] {
    let code = as_code(trouble.code());
    match trouble {
        UsbTrouble::NoStick => one("لا ذاكرة: أدخلها"),
        UsbTrouble::SeveralSticks => one("اترك ذاكرة واحدة"),
        UsbTrouble::StickFailed => one(&format!("{code} الذاكرة لا تعمل")),
        UsbTrouble::StickFull => one(&format!("{code} الذاكرة ممتلئة")),
        UsbTrouble::AnswerDamaged => one(&format!("{code} الرد تالف")),
        UsbTrouble::OtherOffice => one(&format!("{code} الرد من مكتب آخر")),
        UsbTrouble::AnotherHub => one(&format!("{code} الرد لعيادة أخرى")),
        UsbTrouble::Gap => one(&format!("{code} ينقص رد قبله")),
        UsbTrouble::OtherCloud => one(&format!("{code} سحابة أخرى")),
        UsbTrouble::Failed => one(&format!("{code} فشل، حاول ثانية")),
    }
}

const UNITS: [&str; 3] = ["ميغا", "غيغا", "تيرا"];

fn question(question: &Question) -> Asked {
    let (title, [first, second], yes) = match question {
        Question::NewDisk { name, bytes } => (
            "قرص جديد فارغ",
            [
                as_name(&printable(name, NAME)),
                format!("{}: نختاره؟", size(*bytes, UNITS)),
            ],
            "نعم",
        ),
        Question::EraseDisk { name, bytes } => (
            "مسح هذا القرص؟",
            [
                as_name(&printable(name, NAME)),
                format!("{}: يمحى", size(*bytes, UNITS)),
            ],
            "مسح",
        ),
        Question::UseCard { bytes } => (
            "لا يوجد قرص بيانات",
            ["نحفظ على البطاقة؟".into(), format!("المتاح: {}", size(*bytes, UNITS))],
            "نعم",
        ),
        Question::MoveData { bytes } => (
            "نقل السجلات؟",
            ["هنا بطاقة قديمة".into(), format!("ننقل {}؟", size(*bytes, UNITS))],
            "نقل",
        ),
        Question::DiskAway => ("صل القرص", lines(["قرص السجلات غير هنا", "نتابع بدونه؟"]), "نعم"),
        Question::BeginAnew => ("جهاز جديد فارغ؟", lines(["بلا هواتف القديم", "ولا سجلاته"]), "ابدأ"),
        // The rest of it is drawn from figures.
        Question::WhichDisk(_) => ("أي قرص؟", lines(["", ""]), "استعمال"),
        Question::LargerDisk => (
            "نقل إلى قرص أكبر؟",
            lines(["تنتظر الهواتف حتى", "ينتهي: ساعة أو أقل"]),
            "نقل",
        ),
        Question::GoOnMoving => ("متابعة النقل؟", lines(["انقطع نقل السجلات", "إلى القرص الآخر"]), "متابعة"),
        Question::Repair => (
            "إصلاح القرص؟",
            lines(["قد تضيع سجلات. اتصل", "بالدعم أولا إن أمكن"]),
            "إصلاح",
        ),
        Question::OtherCloud { host } => (
            "سحابة أخرى؟",
            ["ترسل السجلات إلى:".into(), as_code(&printable(host, NAME))],
            "نعم",
        ),
        Question::OtherOffice { ending } => (
            "مكتب آخر؟",
            ["الذاكرات للمكتب:".into(), as_code(&printable(ending, 8))],
            "نعم",
        ),
        Question::BoxKey { again: false } => ("مفتاح للجهاز؟", lines(["يكتب فيه إلى الأبد", "ولا رجعة في ذلك"]), "نعم"),
        Question::BoxKey { again: true } => (
            "إلى الأبد حقا؟",
            lines(["يبقى في هذا الجهاز", "مع كل قرص وبطاقة"]),
            "كتابة",
        ),
        Question::NewBox => ("جهاز آخر", lines(["كان القرص لجهاز آخر", "أيفتحه هذا الجهاز؟"]), "نعم"),
        Question::Withdrawn { clinic, patients } => (
            "مسح سجلات عيادة؟",
            [as_name(&printable(clinic, NAME)), format!("مرضى: {patients}")],
            "مسح",
        ),
        Question::OtherOrganisation { ending } => (
            "مفتاح آخر؟",
            ["يفتح النسخ من الآن".into(), as_code(&printable(ending, 8))],
            "نعم",
        ),
        Question::Restore { made_at } => (
            "استعادة نسخة؟",
            [as_code(&date(*made_at)), "يلزم رمز ذلك اليوم".into()],
            "نعم",
        ),
        Question::PutBack { firmware } => (
            "فشل التحديث",
            [
                "لم تفتح. نعيد".into(),
                format!("{}؟", as_code(&printable(firmware, 12))),
            ],
            "إعادة",
        ),
    };
    Asked {
        title,
        text: [first, second, String::new()],
        yes,
    }
}

fn fault_text(fault: &Fault) -> [String; 5] {
    let [first, second, third] = match fault {
        Fault::NewerStore { needs } => [
            "السجلات لها إصدار".into(),
            needs
                .as_ref()
                .map_or_else(|| "أحدث من هذا".into(), |needs| as_code(&printable(needs, 12))),
            "ضع بطاقته".into(),
        ],
        Fault::WasPutBack { needs } => [
            "أعيدت السجلات".into(),
            "ضع بطاقة الإصدار".into(),
            as_code(&printable(needs, 12)),
        ],
        Fault::Backup { file } => [
            "النسخة لا تقرأ".into(),
            file.as_ref()
                .map_or_else(String::new, |file| as_code(&printable(file, 14))),
            "شغله وخذ أقدم منها".into(),
        ],
        other => lines(plain_fault(other)),
    };
    [first, second, third, String::new(), String::new()]
}

const fn plain_fault(fault: &Fault) -> [&'static str; 3] {
    match fault {
        Fault::Keys => ["لا تقرأ مفاتيح القرص", "لا تمسح القرص", "واتصل بالدعم الفني"],
        Fault::Store => ["تعذر فتح السجلات", "أطفئه ثم شغله. إن", "بقي اتصل بالدعم"],
        Fault::Disk => ["لا يكتب على القرص", "تأكد أنه موصول", "ثم أعد التشغيل"],
        Fault::Damaged => ["قرص البيانات تالف", "لا تمسح القرص", "واتصل بالدعم الفني"],
        Fault::Unreadable => ["هنا قرص لا يقرأ", "صله ثانية. إن", "بقي اتصل بالدعم"],
        Fault::WriteProtected => ["محمي من الكتابة", "انزعه وافتح قفله", "ثم أعده"],
        Fault::Moved => ["نقلت السجلات من هنا", "صل القرص الذي هي", "عليه الآن"],
        Fault::OldRecords => ["هنا سجلات قديمة", "صل قرص البيانات", "أو اطلب الدعم الفني"],
        Fault::DiskFull => ["امتلأ قرص البيانات", "لم يضع شيء", "اتصل بالدعم الفني"],
        Fault::DiskFailed => ["تعطل القرص. لا تمسح", "أي هاتف. أطفئه ثم", "شغله وإلا فاتصل"],
        Fault::NoRoomToUpdate => ["لا مكان لهذا التحديث", "أعد البطاقة القديمة", "فهي تعمل كما كانت"],
        Fault::NoRoom => ["المكان لا يكفي", "استعمل قرصا أو", "بطاقة أكبر"],
        Fault::NotMoved => ["لم تنقل السجلات. هي", "حيث كانت. حاول", "مرة أخرى"],
        Fault::NoDisk => ["لا يوجد قرص بيانات", "صله، يتابع الجهاز", "وحده"],
        Fault::FakeDisk => ["قرص مزيف يضيع ما", "يكتب عليه. انزعه", "واستعمل غيره"],
        Fault::WeakPower => ["الكهرباء ضعيفة أو", "الجهاز ساخن. أصلح", "ذلك ثم أعد التشغيل"],
        Fault::WrongBoard => ["البطاقة لجهاز آخر", "أطفئه، ثم ضع بطاقة", "هذا الجهاز"],
        Fault::SeveralDisks => ["أكثر من قرص بيانات", "اترك القرص الصحيح", "وانزع غيره"],
        Fault::DiskKept => ["القرص بقي كما هو", "صل قرصا فارغا", "أو أعد التشغيل"],
        Fault::DiskGone => ["نزع قرص البيانات", "صله مرة أخرى", "الجهاز مقفل"],
        Fault::CardGone => ["نزعت بطاقة الذاكرة", "أعدها. أطفئ الجهاز", "وشغله"],
        Fault::Port => ["الهواتف لا تصل إليه", "أطفئه ثم شغله", ""],
        Fault::Restarts => ["تعطل كثيرا فأغلق", "انتظر 10 دقائق ثم", "الرمز، أو اطلب الدعم"],
        Fault::Internal | Fault::NewerStore { .. } | Fault::WasPutBack { .. } | Fault::Backup { .. } => {
            ["حدث خلل في الجهاز", "أطفئه ثم شغله", ""]
        }
    }
}
