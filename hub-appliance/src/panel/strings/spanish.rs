//! The panel's texts in Spanish.

use super::super::names::of_person;
use super::super::text::{date, printable, size};
use super::super::view::{
    BackupStanding, CloudStanding, ErrandEnd, Fault, HeldReason, ImportFile, News, Obstacle, Question, RecordKind,
    Unlocking, UsbStanding, UsbStatus, UsbTrouble,
};
use super::{Ago, Asked, IMPORT_FILE, Note, SETUP_FILE, Strings, Told};

pub(super) static STRINGS: Strings = Strings {
    welcome: "Bienvenido",
    language_name: "Español",
    begin: "empezar",
    setup_file: "Archivo de ajustes",
    setup_file_text: |line| {
        let [first, second] = match line {
            Some(line) => ["hub-setup.toml: error".into(), format!("en línea {line}. No se")],
            None => ["hub-setup.toml es".into(), "ilegible y no se".into()],
        };
        [first, second, "usa. Corríjalo y".into(), "reinicie el hub.".into()]
    },
    several_setup_files: || several(SETUP_FILE),
    old_disk: "Datos movidos",
    old_disk_text: |bytes| {
        [
            "Retire el disco de".into(),
            format!("{}. Su copia está", size(bytes, UNITS)),
            "bloqueada; se borra".into(),
            "con una computadora.".into(),
        ]
    },
    import_file: "Archivo de datos",
    import_file_text: |file| {
        let mistake = |what: String| {
            [
                "clinic.json no se usa".into(),
                what,
                "Corríjalo y reinicie".into(),
                "el hub.".into(),
            ]
        };
        match file {
            ImportFile::Mistake { line: Some(line) } => mistake(format!("Línea {line}.")),
            ImportFile::Mistake { line: None } => mistake("Es ilegible.".into()),
            ImportFile::StillThere => [
                "clinic.json sigue en".into(),
                "la tarjeta, a la".into(),
                "vista. Bórrelo desde".into(),
                "una computadora.".into(),
            ],
            ImportFile::Several => several(IMPORT_FILE),
            ImportFile::SameEmail { names: [one, other] } => [
                "Mismo correo para:".into(),
                of_person(&one),
                of_person(&other),
                "Dé a cada uno el suyo".into(),
            ],
        }
    },
    go_on: "seguir",
    choose_pin: "PIN nuevo",
    choose_pin_text: |fewest| [format!("De {fewest} a 12 cifras que"), "sólo sepa el equipo".into()],
    repeat_pin: "PIN otra vez",
    repeat_pin_text: ["Teclee el mismo PIN", "otra vez"],
    setting_up: "Preparando",
    setting_up_text: "Creando las claves",
    explain_code: [
        "Abre el hub si falta",
        "el PIN. Anótelo en un",
        "papel y guárdelo bajo",
        "llave.",
    ],
    explain_code_hint: "mostrarlo",
    write_code: "Código de rescate",
    wrong_group: |group| format!("Grupo {group} difiere"),
    write_code_hint: "lo he anotado",
    code_hidden_text: ["Oculto: 15 minutos", "sin pulsar nada"],
    code_hidden_hint: "verlo otra vez",
    check_code: "Comprobación",
    check_code_text: |group| ["De su papel,".into(), format!("teclee el grupo {group}")],
    locked: "Bloqueado",
    locked_text: ["Teclee el PIN", "¿Perdido? OK largo"],
    locked_use_code: ["Teclee el PIN o pulse", "OK largo: código"],
    hold_deletes: "OK largo: borrar",
    wait: "Espere",
    wait_text: "Demasiados intentos",
    wait_hold: "¿Perdido? OK largo",
    wait_use_code: "Use código de rescate",
    wait_hold_for_code: "OK largo: teclearlo",
    wait_leave: "OK largo: salir",
    enter_code: "Código de rescate",
    enter_code_text: |group| [format!("Teclee grupo {group} de 8"), "Atrás: el anterior".into()],
    unlocking: "Abriendo",
    moment: "Un momento",
    checking: "Comprobando PIN",
    changing: "Guardando PIN",
    locking: "Bloqueando",
    open: "Hub abierto",
    menu: "Menú",
    no_network: "Sin red",
    no_network_text: ["Revise el cable y", "el router"],
    no_network_to_pair: [
        "Ningún teléfono llega",
        "al hub. Revise cable",
        "y router, y vuelva a",
        "intentarlo",
    ],
    back: "volver",
    address_changed: "Dirección nueva",
    address_before: |address| format!("era {address}"),
    address_pair_again: "Empareje de nuevo",
    address_by_router: |before| ["O que el router".into(), format!("dé {before}")],
    address_hide: ["¿Todo funciona?", "OK largo: ocultar"],
    phones_short: |count| format!("24 h: {count}"),
    need_help: |count| match count {
        "1" => "1 pide ayuda".into(),
        _ => format!("{count} piden ayuda"),
    },
    clock_good_short: "Reloj en hora",
    clock_hand_short: "Hora puesta a mano",
    clock_bad_short: "Reloj sin hora",
    disk_short: |percent| {
        if percent < 100 {
            format!("{percent}% uso")
        } else {
            "lleno".into()
        }
    },
    status: "Estado",
    phones_in_24_h: "Teléf. en 24 h",
    held: "Piden ayuda",
    clock: "Reloj",
    clock_good: "por red/chip",
    clock_hand: "a mano",
    larger_disk: "Disco más grande",
    set_clock: "Poner la hora",
    set_clock_text: ["Arriba o abajo cambia", "Hora UTC, mundial"],
    set_clock_next: "seguir",
    set_clock_take: "poner",
    clock_bad: "sin hora",
    disk: "Disco",
    disk_used: |percent| format!("{percent}% usado"),
    weak_power: "Poca corriente",
    too_hot: "Hub muy caliente",
    disk_nearly_full: "Disco casi lleno",
    disk_get_help: "Consiga uno mayor",
    disk_full: "Disco lleno",
    disk_full_text: ["Lo nuevo queda en los", "teléfonos. Pida ayuda"],
    disk_takes_nothing: "No acepta más datos",
    disk_beside: |percent| {
        if percent < 100 {
            format!("Disco {percent}%")
        } else {
            "Disco lleno".into()
        }
    },
    about: "Acerca de",
    version: "Versión",
    fingerprint: "Clave del hub",
    menu_pair: "Emparejar",
    menu_change_pin: "Cambiar el PIN",
    menu_keys: "Llaves",
    keys: "Formas de abrir",
    key_names: [
        "Sólo PIN",
        "PIN y memoria",
        "Sólo memoria",
        "PIN y esta caja",
        "Sólo esta caja",
    ],
    key_texts: [
        ["Quien robe la caja", "tiene que saber el", "PIN."],
        ["Quien la robe quiere", "ambos. Guarde la", "memoria aparte."],
        ["Se abre al encender.", "Con caja y memoria se", "lee todo."],
        ["Abre con el PIN, sólo", "en esta caja. Fuera,", "el disco no se lee."],
        ["Se abre sola. Protege", "sólo un disco robado", "sin su caja."],
    ],
    key_no_box: ["Esta caja no tiene", "llave propia que el", "hub pueda usar."],
    key_use: "Usar",
    key_remove: "Quitar",
    locked_needs_stick: ["Ponga la memoria USB", "y teclee el PIN"],
    locked_other_box: ["Disco de otra caja:", "OK largo para código"],
    locked_no_box_key: ["Caja sin llave:", "OK largo para código"],
    locked_not_alone: ["Disco de otra caja:", "teclee el PIN"],
    menu_lock: "Bloquear",
    menu_power_off: "Apagar",
    language: "Idioma",
    choose: "elegir",
    phones: "Teléfonos",
    no_phones: ["Ningún teléfono.", "Véase menú: Emparejar"],
    phone: "Teléfono",
    seen: |ago| match ago {
        Ago::Now => "Visto ahora mismo".into(),
        Ago::Minutes(minutes) => format!("Visto hace {minutes} min"),
        Ago::Hours(hours) => format!("Visto hace {hours} h"),
        Ago::Days(days) => format!("Visto hace {days} d"),
    },
    phone_good: "Puede usar el hub",
    phone_stuck: "Atascado: reabrir app",
    phone_full: "Envió de más: avise",
    phone_ahead: ["Tiene más que el hub:", "enviar todo, app 1.5"],
    phone_revoked: ["Revocado: el hub", "rechaza el teléfono"],
    leave: "Volver",
    revoke: "Revocar",
    revoke_title: "¿Revocar?",
    revoke_text: "No tendrá más acceso",
    present_pin: "PIN actual",
    present_pin_text: ["Primero teclee el PIN", "que abre el hub"],
    staff: "Personal",
    staff_title: "¿Cambiarlo?",
    staff_figures: ["Se van", "Nuevos", "Contraseñas", "Otros cambios", "Otros datos"],
    staff_take: "Aceptar",
    no_staff: "Falta el personal",
    no_staff_text: ["Nadie puede entrar.", "Vea menú, Personal"],
    menu_new_code: "Código nuevo",
    menu_restart: "Reiniciar",
    restart: "¿Reiniciar?",
    restart_text: ["Los teléfonos esperan", "hasta que se abra", "aquí."],
    restart_now: "Sí",
    restarting: "Reiniciando",
    restarting_text: ["En un minuto se puede", "abrir aquí."],
    emergency: "Acceso de urgencia",
    emergency_for: |minutes| format!("Urgencia {minutes} min"),
    emergency_left: "Queda",
    emergency_logged: "Todo queda anotado",
    emergency_end: "Terminar",
    emergency_over: "Fin de urgencia",
    emergency_nobody: ["Nadie leyó registros", "de este modo."],
    errand_at_work: "Trabajando",
    errand_ended,
    pin_changed: "PIN cambiado",
    pin_changed_text: ["Ahora sólo el PIN", "nuevo abre el hub.", "Avise a los demás."],
    pin_kept: "PIN sin cambiar",
    pin_kept_text: ["El PIN de antes sigue", "abriendo el hub.", "Inténtelo otra vez."],
    power_off: "¿Apagar?",
    power_off_text: ["El hub se bloquea. No", "hay teléfonos hasta", "encenderlo otra vez."],
    power_off_now: "Apagar",
    off: "Apagando",
    off_text: ["No lo desenchufe aún,", "espere a que lo diga", "aquí."],
    unplug: "Desenchúfelo",
    unplug_text: ["Los datos están a", "salvo."],
    pair: "Escanear",
    pair_keep: ["OK: seguir", "abierto"],
    pair_kept: ["OK: tiempo", "limitado"],
    pair_close: ["OK largo:", "cerrar"],
    pair_stays: "Abierto",
    pair_shade: ["Dé sombra", "al panel"],
    paired: "Emparejado",
    paired_text: "¿Es uno de los suyos?",
    unnamed_phone: |number| format!("Teléfono {number}"),
    keep: "Conservar",
    undo: "Quitar",
    news,
    cloud: "Nube",
    cloud_standing: |standing| match standing {
        CloudStanding::NeverSetUp => ["Sin configurar: vea".into(), "[cloud] del manual".into()],
        CloudStanding::NoNetwork => ["Espera la red".into(), String::new()],
        CloudStanding::Waiting => ["Espera la próxima".into(), "vez".into()],
        CloudStanding::Done(minutes) => [done(Ago::of_minutes(minutes)), String::new()],
        CloudStanding::Receiving => ["Recibiendo".into(), String::new()],
        CloudStanding::Sending(sent, total) => [format!("Enviado {sent}"), format!("de {total}")],
        CloudStanding::Refused => ["Rechazado: pida una".into(), "clave nueva".into()],
        CloudStanding::Inactive => ["Detenido por su".into(), "organización".into()],
        CloudStanding::NoClinic => ["Sin clínica: hable".into(), "con su organización".into()],
        CloudStanding::NoClock => ["Reloj sin ajustar".into(), String::new()],
        CloudStanding::Failed => ["Falló. El hub prueba".into(), "de nuevo solo".into()],
        CloudStanding::Settings => ["[cloud] está mal:".into(), "pida ayuda técnica".into()],
    },
    cloud_waiting: "Por enviar",
    cloud_held: "Piden ayuda",
    cloud_sync: "Enviar",
    back_button: "Volver",
    cloud_beside: |count| format!("Envío: {count}"),
    cloud_key_left: [
        "La clave de la nube",
        "sigue en la tarjeta.",
        "Bórrela allí con una",
        "computadora.",
    ],
    backup: "Copia",
    backup_done: done,
    backup_none: "Aún no hay copia",
    backup_old: "La copia es vieja",
    backup_failing: "La copia se detuvo",
    keys_at_work: |percent| format!("Claves: {percent} %"),
    keys_need_code: "Falta código nuevo",
    keys_no_room: "Claves: sin sitio",
    keys_failed: "Claves sin cambiar",
    backup_standing: |standing| match standing {
        BackupStanding::Away => "La memoria no está",
        BackupStanding::Following => "Memoria al día",
        BackupStanding::Copying(_) => "Copiando registros",
        BackupStanding::Full => "La memoria se llenó",
        BackupStanding::Failed => "Falló: reintentará",
        BackupStanding::WeakPower => "Espera: poca energía",
        BackupStanding::AnotherHubs => "Es de otro hub",
        BackupStanding::Unreadable => "P41 No se puede leer",
    },
    backup_now: "Copiar",
    backup_use: "Usarla",
    backup_stick: "¿Guardar copias?",
    backup_stick_text: |name, bytes| {
        [
            printable(name, 21),
            format!("{}: no se borra", size(bytes, UNITS)),
            "nada de ella".into(),
        ]
    },
    backup_yes: "Sí",
    usb: "USB",
    usb_standing,
    usb_start: "Iniciar",
    usb_arrived: "Llegaron",
    help: "Piden ayuda",
    help_none: ["Nada espera ayuda", ""],
    help_kind,
    help_reason,
    help_try: "Repetir",
    age,
    lock: "¿Bloquear?",
    lock_text: ["Los teléfonos esperan", "hasta que se abra", "aquí."],
    lock_now: "Bloquear",
    cancel: "Cancelar",
    formatting: "Creando el disco",
    formatting_text: "No apague el hub",
    moving: "Moviendo los datos",
    moving_text: "Puede durar una hora",
    repairing: "Reparando el disco",
    restoring: "Restaurando",
    question,
    no: "No",
    which_disk_card: "tarjeta",
    which_disk_used: "Usado",
    disk_size: |bytes| size(bytes, UNITS),
    which_disk_next: "Otro",
    fault: "Problema",
    delete_key: "Borrar",
    note: note_text,
    fault_text,
};

fn note_text(note: Note) -> [String; 2] {
    match note {
        Note::TooShort(min) => [format!("{min} cifras o más,"), "siga tecleando".into()],
        Note::TooLong(max) => ["Son demasiadas:".into(), format!("{max} cifras como mucho")],
        Note::Mismatch => ["Los PIN difieren.".into(), "Elija otra vez el PIN".into()],
        Note::TooSimple => ["Fácil de adivinar.".into(), "Elija otro PIN".into()],
        Note::WrongPin(1) => ["PIN incorrecto. Tiene".into(), "1 intento sin espera".into()],
        Note::WrongPin(tries) => [
            "PIN incorrecto. Tiene".into(),
            format!("{} intentos sin espera", tries.min(9)),
        ],
        Note::MistypedGroup => ["Mal tecleado: repita".into(), "este grupo".into()],
        Note::WrongCode => ["Código incorrecto.".into(), "Empiece en el grupo 1".into()],
        Note::Cleared => ["Cifras borradas: hace".into(), "rato sin pulsar".into()],
    }
}

fn errand_ended(end: ErrandEnd) -> [String; 4] {
    match end {
        ErrandEnd::StaffTaken => [
            "El personal es el del",
            "archivo, ya borrado.",
            "Quien se va no puede",
            "entrar más.",
        ]
        .map(String::from),
        ErrandEnd::StaffFileLeft => [
            "Aceptado. El archivo",
            "sigue ahí, a la vista",
            "de todos. Bórrelo con",
            "una computadora.",
        ]
        .map(String::from),
        ErrandEnd::NoStaffFile => [
            "No hay clinic.json.",
            "Póngalo en un USB o",
            "en la tarjeta. Luego",
            "pruebe otra vez.",
        ]
        .map(String::from),
        ErrandEnd::StaffUnchanged => {
            ["No hay nada nuevo en", "clinic.json. No se ha", "cambiado nada.", ""].map(String::from)
        }
        ErrandEnd::StaffOfCloud => [
            "La organización lleva",
            "el personal en la",
            "nube. Pídale que lo",
            "cambie allí.",
        ]
        .map(String::from),
        ErrandEnd::CodeRenewed => ["Sólo vale el código", "nuevo. Rompa el papel", "anterior.", ""].map(String::from),
        ErrandEnd::Unlocking(Unlocking::Pin) => {
            ["Ahora basta el PIN", "para abrir el hub,", "sin memoria USB.", ""].map(String::from)
        }
        ErrandEnd::Unlocking(Unlocking::PinAndStick) => {
            ["El PIN y la memoria", "abren el hub. Al", "sacarla se bloquea.", ""].map(String::from)
        }
        ErrandEnd::Unlocking(Unlocking::Stick) => [
            "La memoria USB abre",
            "el hub al encender.",
            "Al sacarla se",
            "bloquea.",
        ]
        .map(String::from),
        ErrandEnd::Unlocking(Unlocking::NoStick) => {
            ["La memoria sola ya no", "abre el hub. El PIN", "lo abre.", ""].map(String::from)
        }
        ErrandEnd::Unlocking(Unlocking::PinAndBox) => [
            "El PIN y esta caja",
            "abren el hub. En otra",
            "sólo el código de",
            "recuperación.",
        ]
        .map(String::from),
        ErrandEnd::Unlocking(Unlocking::Box) => {
            ["El hub se abre solo", "al encender, sólo en", "esta caja.", ""].map(String::from)
        }
        ErrandEnd::Unlocking(Unlocking::NoBox) => {
            ["La caja sola ya no", "abre el hub. El PIN", "lo abre.", ""].map(String::from)
        }
        ErrandEnd::BoxFailed => [
            "La llave de la caja",
            "no responde. Elija",
            "otra manera de abrir",
            "el hub.",
        ]
        .map(String::from),
        ErrandEnd::NoStick => [
            "No hay memoria USB",
            "con llave o con sitio",
            "para una. Póngala e",
            "inténtelo otra vez.",
        ]
        .map(String::from),
        ErrandEnd::SeveralSticks => {
            ["Hay varias memorias", "USB. Deje una e", "inténtelo otra vez.", ""].map(String::from)
        }
        ErrandEnd::OtherKeyFile => [
            "La memoria tiene un",
            "archivo hub.key que",
            "no es una llave. Use",
            "otra memoria.",
        ]
        .map(String::from),
        ErrandEnd::StickFailed => ["No se pudo leer ni", "escribir la memoria.", "Pruebe otra.", ""].map(String::from),
        ErrandEnd::PinTooShort => [
            "Un PIN solo pide 8",
            "cifras o más. Antes",
            "elija otro: menú,",
            "Cambiar el PIN.",
        ]
        .map(String::from),
        ErrandEnd::EmergencyOpen => [
            "Por 30 minutos el",
            "personal lee todo en",
            "línea. Cada lectura",
            "se anota con nombre.",
        ]
        .map(String::from),
        ErrandEnd::NoLargerDisk => [
            "No hay otro disco con",
            "espacio. Conecte uno,",
            "espere un poco y",
            "reintente.",
        ]
        .map(String::from),
        ErrandEnd::ClockSet => {
            ["La hora está puesta.", "Si se apaga el hub,", "póngala otra vez.", ""].map(String::from)
        }
        ErrandEnd::ClockKnown => [
            "El hub sabe la hora",
            "por la red o por su",
            "chip. No hay nada que",
            "poner.",
        ]
        .map(String::from),
        ErrandEnd::ClockBack => [
            "El hub ya vio esa",
            "hora: solo se puede",
            "adelantar. No se",
            "cambió nada.",
        ]
        .map(String::from),
        ErrandEnd::BackupStick => [
            "El hub hace copias en",
            "esta memoria. Déjela",
            "puesta y guarde el",
            "papel en otro sitio.",
        ]
        .map(String::from),
        ErrandEnd::Failed => [
            "No ha funcionado.",
            "Todo sigue igual.",
            "Pruebe otra vez o",
            "pida ayuda técnica.",
        ]
        .map(String::from),
        ErrandEnd::SeveralStaffFiles => {
            ["Hay dos archivos", "clinic.json. Deje uno", "y pruebe otra vez.", ""].map(String::from)
        }
        ErrandEnd::StaffMistake { line } => [
            "clinic.json no vale.".into(),
            line.map_or_else(|| "No se puede leer.".into(), |line| format!("Línea {line}.")),
            "No se cambió nada.".into(),
            String::new(),
        ],
        ErrandEnd::SameEmail { names: [one, other] } => [
            "Un correo para dos:".into(),
            of_person(&one),
            of_person(&other),
            "A cada uno el suyo.".into(),
        ],
    }
}

fn news(news: News) -> Told {
    let (title, text) = match news {
        News::NotPaired(Obstacle::TooManyPhones) => (
            "No se emparejó",
            [
                "El hub ya conoce 256",
                "teléfonos, el máximo.",
                "Pida ayuda técnica",
                "",
            ],
        ),
        News::NotPaired(Obstacle::DiskFull) => (
            "No se emparejó",
            ["El disco de datos", "está lleno. Pida", "ayuda técnica", ""],
        ),
        News::NotPaired(Obstacle::NotWritten) => (
            "No se emparejó",
            [
                "No se pudo guardar.",
                "Escanee otra vez. Si",
                "sigue igual, pida",
                "ayuda",
            ],
        ),
        News::RefusedForNow(Obstacle::DiskFull) => (
            "Disco lleno",
            [
                "Teléfono rechazado",
                "sólo hasta bloquear",
                "el hub. Después,",
                "revóquelo otra vez",
            ],
        ),
        News::RefusedForNow(_) => (
            "No se guardó",
            [
                "Teléfono rechazado",
                "sólo hasta bloquear",
                "el hub. Después,",
                "revóquelo otra vez",
            ],
        ),
        News::PairingEnded => (
            "Tiempo agotado",
            ["Pasaron 15 minutos.", "¿Otro teléfono?", "Menú: Emparejar", ""],
        ),
        News::Repaired => (
            "Disco reparado",
            [
                "Puede faltar algo.",
                "No borre nada en los",
                "teléfonos y pida",
                "ayuda técnica",
            ],
        ),
        News::Damaged => (
            "Datos dañados",
            [
                "Algunos no se leen.",
                "No borre nada en los",
                "teléfonos y pida",
                "ayuda técnica",
            ],
        ),
        News::SomeLeft => (
            "Aún piden ayuda",
            [
                "Algunos no se toman.",
                "Nada se ha perdido.",
                "Pregunte por permisos",
                "o pida ayuda técnica",
            ],
        ),
        News::AllTaken => ("Todo recibido", ["Nada espera ya ayuda", "", "", ""]),
        News::Restored => (
            "Copia restaurada",
            [
                "No encienda nunca más",
                "el hub viejo. Vea los",
                "teléfonos marcados",
                "con !",
            ],
        ),
        News::NoRoomForKeys => (
            "Disco muy lleno",
            [
                "No hay sitio para",
                "claves nuevas: un PIN",
                "viejo abre copias.",
                "Vea: Disco más grande",
            ],
        ),
        News::KeysNotChanged => (
            "Claves sin cambiar",
            [
                "Un PIN viejo abre",
                "copias. El hub lo",
                "intenta otra vez. Si",
                "sigue, pida ayuda",
            ],
        ),
        News::NotTakenOver => (
            "No se pudo cambiar",
            [
                "Nube, oficina o clave",
                "siguen igual. Apague",
                "y encienda. Si sigue",
                "así, pida ayuda",
            ],
        ),
        News::LogBroken => (
            "Registro dañado",
            [
                "La lista de accesos",
                "no está completa.",
                "Siga trabajando y",
                "pida ayuda técnica",
            ],
        ),
    };
    Told { title, text }
}

const UNITS: [&str; 3] = ["MB", "GB", "TB"];

fn done(ago: Ago) -> String {
    match ago {
        Ago::Now => "Hecho ahora mismo".into(),
        Ago::Minutes(minutes) => format!("Hecho hace {minutes} min"),
        Ago::Hours(hours) => format!("Hecho hace {hours} h"),
        Ago::Days(days) => format!("Hecho hace {days} d"),
    }
}

fn usb_standing(usb: &UsbStatus) -> [String; 2] {
    match usb.standing {
        UsbStanding::NeverSetUp => ["Sin configurar: vea".into(), "[courier] del manual".into()],
        UsbStanding::Idle => ["Memoria, e Iniciar".into(), printable(&usb.fingerprint, 21)],
        UsbStanding::Taking => ["Lee la respuesta".into(), "No saque la memoria".into()],
        UsbStanding::Packing(rows) => [format!("Escribe: {}", rows.min(999_999)), "No saque la memoria".into()],
        UsbStanding::Done { number, rows, .. } => [
            format!("N.º {}: {} filas", number.min(9999), rows.min(99_999)),
            "Saque la memoria".into(),
        ],
        UsbStanding::Trouble(trouble) => usb_trouble(trouble),
    }
}

fn usb_trouble(trouble: UsbTrouble) -> [String; 2] {
    let code = trouble.code();
    match trouble {
        UsbTrouble::NoStick => ["No hay memoria USB:".into(), "póngala e Iniciar".into()],
        UsbTrouble::SeveralSticks => ["Varias memorias USB:".into(), "deje solo una".into()],
        UsbTrouble::StickFailed => [format!("{code} La memoria no"), "se lee o no se graba".into()],
        UsbTrouble::StickFull => [format!("{code} La memoria está"), "llena: vacíela".into()],
        UsbTrouble::AnswerDamaged => [format!("{code} Respuesta rota:"), "pida otra".into()],
        UsbTrouble::OtherOffice => [format!("{code} Respuesta de"), "oficina desconocida".into()],
        UsbTrouble::AnotherHub => [format!("{code} Respuesta para"), "otra clínica".into()],
        UsbTrouble::Gap => [format!("{code} Falta una antes:"), "devuélvala".into()],
        UsbTrouble::OtherCloud => [format!("{code} Respuesta de"), "otra nube".into()],
        UsbTrouble::Failed => [format!("{code} Falló: intente"), "otra vez o llame".into()],
    }
}

fn question(question: &Question) -> Asked {
    match question {
        Question::NewDisk { name, bytes } => Asked {
            title: "Disco nuevo",
            text: [
                printable(name, 21),
                format!("{}, vacío.", size(*bytes, UNITS)),
                "¿Guardar datos en él?".into(),
            ],
            yes: "Sí",
        },
        Question::EraseDisk { name, bytes } => Asked {
            title: "¿Borrar el disco?",
            text: [
                printable(name, 21),
                format!("{}, con datos:", size(*bytes, UNITS)),
                "todo se perderá".into(),
            ],
            yes: "Borrar",
        },
        Question::DiskAway => Asked {
            title: "Conecte el disco",
            text: [
                "Falta el disco con".into(),
                "los registros.".into(),
                "¿Seguir sin él?".into(),
            ],
            yes: "Sí",
        },
        Question::BeginAnew => Asked {
            title: "¿Hub nuevo vacío?",
            text: [
                "Los teléfonos y los".into(),
                "registros del otro no".into(),
                "están en él.".into(),
            ],
            yes: "Empezar",
        },
        // The rest of it is drawn from figures.
        Question::WhichDisk(_) => Asked {
            title: "¿Qué disco?",
            text: Default::default(),
            yes: "Usar",
        },
        Question::UseCard { bytes } => Asked {
            title: "Sin disco de datos",
            text: [
                "¿Guardar los datos".into(),
                "en la tarjeta?".into(),
                format!("Libre: {}", size(*bytes, UNITS)),
            ],
            yes: "Sí",
        },
        Question::MoveData { bytes } => Asked {
            title: "¿Mover los datos?",
            text: [
                "Hay una tarjeta vieja".into(),
                "en el lector. ¿Traer".into(),
                format!("sus datos ({})?", size(*bytes, UNITS)),
            ],
            yes: "Mover",
        },
        Question::LargerDisk => Asked {
            title: "¿Cambiar de disco?",
            text: ["Los datos pasan a", "otro disco. Hasta una", "hora sin teléfonos."].map(String::from),
            yes: "Mover",
        },
        Question::GoOnMoving => Asked {
            title: "¿Seguir moviendo?",
            text: ["Se interrumpió al", "mover los datos al", "otro disco."].map(String::from),
            yes: "Seguir",
        },
        Question::Repair => Asked {
            title: "¿Reparar el disco?",
            text: [
                "Puede perder datos.".into(),
                "Si puede, pida antes".into(),
                "ayuda técnica".into(),
            ],
            yes: "Reparar",
        },
        Question::OtherCloud { host } => Asked {
            title: "¿Otra nube?",
            text: [
                "Los registros irán".into(),
                format!("a {}", printable(host, 19)),
                "si dice que sí.".into(),
            ],
            yes: "Sí",
        },
        Question::OtherOffice { ending } => Asked {
            title: "¿Otra oficina?",
            text: [
                "Las memorias irán a".into(),
                format!("oficina ...{}", printable(ending, 8)),
                "si dice que sí.".into(),
            ],
            yes: "Sí",
        },
        Question::BoxKey { again: false } => Asked {
            title: "¿Llave de la caja?",
            text: ["La caja recibe llave", "propia para siempre.", "No se puede deshacer."].map(String::from),
            yes: "Sí",
        },
        Question::BoxKey { again: true } => Asked {
            title: "¿De verdad?",
            text: ["Queda en esta caja,", "con cualquier disco o", "tarjeta."].map(String::from),
            yes: "Escribir",
        },
        Question::NewBox => Asked {
            title: "Otra caja",
            text: ["El disco era de otra", "caja. ¿Lo abre ésta", "desde ahora?"].map(String::from),
            yes: "Sí",
        },
        Question::Withdrawn { clinic, patients } => Asked {
            title: "¿Borrar clínica?",
            text: [
                "Ya no es de este hub:".into(),
                printable(clinic, 21),
                format!("Pacientes: {patients}"),
            ],
            yes: "Borrar",
        },
        Question::OtherOrganisation { ending } => Asked {
            title: "¿Otra clave?",
            text: [
                "Desde ahora abre las".into(),
                "copias la clave".into(),
                format!("...{}", printable(ending, 8)),
            ],
            yes: "Sí",
        },
        Question::Restore { made_at } => Asked {
            title: "¿Restaurar copia?",
            text: [
                date(*made_at),
                "Hace falta el código".into(),
                "de rescate de ese día".into(),
            ],
            yes: "Sí",
        },
        Question::PutBack { firmware } => Asked {
            title: "No se actualizó",
            text: [
                "Los datos no abren.".into(),
                "¿Volver a los de la".into(),
                format!("versión {}?", printable(firmware, 9)),
            ],
            yes: "Restaurar",
        },
    }
}

fn fault_text(fault: &Fault) -> [String; 5] {
    match fault {
        Fault::Keys => [
            "Las claves del disco",
            "no se pueden leer.",
            "",
            "No lo borre: pida",
            "ayuda técnica",
        ],
        Fault::Store => [
            "Los datos no se",
            "pueden abrir.",
            "",
            "Apague y encienda. Si",
            "sigue: pida ayuda",
        ],
        Fault::NewerStore { needs } => {
            let newer = || ("Los datos exigen una", "versión más nueva".into());
            let named = |needs: &String| ("Los datos exigen la", format!("versión {}", printable(needs, 12)));
            let (first, version) = needs.as_ref().map_or_else(newer, named);
            return [
                first.into(),
                version,
                String::new(),
                "Ponga la tarjeta con".into(),
                "esa versión".into(),
            ];
        }
        Fault::WasPutBack { needs } => {
            return [
                "Los datos están como".into(),
                "antes.".into(),
                String::new(),
                "Ponga la tarjeta de".into(),
                format!("versión {}", printable(needs, 12)),
            ];
        }
        Fault::Backup { file } => {
            return [
                "No se puede leer la".into(),
                file.as_ref()
                    .map_or_else(|| "copia.".into(), |file| format!("copia: {}", printable(file, 14))),
                String::new(),
                "Apague y encienda.".into(),
                "Use otra más antigua".into(),
            ];
        }
        Fault::Disk => [
            "No se puede escribir",
            "en el disco.",
            "",
            "Mire si está puesto,",
            "y encienda de nuevo",
        ],
        Fault::Damaged => [
            "El disco está dañado,",
            "no se cambió nada.",
            "",
            "No lo borre: pida",
            "ayuda técnica",
        ],
        Fault::Unreadable => [
            "Hay un disco que no",
            "se puede leer.",
            "",
            "Conéctelo de nuevo.",
            "Si sigue: pida ayuda",
        ],
        Fault::WriteProtected => [
            "El disco o la tarjeta",
            "está protegido.",
            "",
            "Sáquelo, quite el",
            "seguro y métalo",
        ],
        Fault::Moved => [
            "Los datos de esta",
            "tarjeta se movieron.",
            "",
            "Ponga el disco o la",
            "tarjeta que los tiene",
        ],
        Fault::OldRecords => [
            "Aún hay datos viejos",
            "en esta tarjeta.",
            "",
            "Conecte el disco de",
            "datos o pida ayuda",
        ],
        Fault::DiskFull => [
            "El disco está lleno",
            "del todo.",
            "",
            "No se perdió nada:",
            "pida ayuda técnica",
        ],
        Fault::DiskFailed => [
            "El disco falla. No",
            "borre los teléfonos.",
            "",
            "Apague y encienda. Si",
            "sigue: pida ayuda",
        ],
        Fault::NoRoomToUpdate => [
            "Disco muy lleno para",
            "esta versión.",
            "",
            "Ponga la tarjeta de",
            "antes: aún funciona",
        ],
        Fault::NoRoom => [
            "No hay espacio para",
            "los datos.",
            "",
            "Use una tarjeta o un",
            "disco más grande",
        ],
        Fault::NotMoved => [
            "No se pudieron mover",
            "los datos.",
            "",
            "Siguen donde estaban:",
            "reintente",
        ],
        Fault::NoDisk => [
            "No hay disco de",
            "datos conectado.",
            "",
            "Conéctelo: el hub",
            "sigue solo",
        ],
        Fault::FakeDisk => [
            "Este disco es falso:",
            "pierde lo que se le",
            "escribe. Quítelo y",
            "ponga otro",
            "",
        ],
        Fault::SeveralDisks => [
            "Hay más de un disco",
            "de datos conectado.",
            "",
            "Deje el correcto,",
            "retire los demás",
        ],
        Fault::DiskKept => [
            "El disco queda como",
            "está.",
            "",
            "Conecte uno vacío o",
            "reinicie el hub",
        ],
        Fault::DiskGone => [
            "Se quitó el disco de",
            "datos.",
            "",
            "Vuelva a conectarlo.",
            "El hub se bloqueó",
        ],
        Fault::CardGone => [
            "Se quitó la tarjeta",
            "SD.",
            "",
            "Vuelva a ponerla y",
            "reinicie el hub",
        ],
        Fault::WeakPower => [
            "Alimentación débil o",
            "caja muy caliente.",
            "Nada ha cambiado.",
            "Arréglelo y apague",
            "y encienda de nuevo",
        ],
        Fault::WrongBoard => [
            "Esta tarjeta es de",
            "otro tipo de caja.",
            "",
            "Apague y ponga la",
            "tarjeta de esta caja",
        ],
        Fault::Port => [
            "Ningún teléfono llega",
            "al hub.",
            "",
            "Apague el hub y",
            "enciéndalo de nuevo",
        ],
        Fault::Restarts => [
            "Falla demasiado: el",
            "hub sigue bloqueado.",
            "",
            "Espere 10 minutos y",
            "el PIN; o pida ayuda",
        ],
        Fault::Internal => [
            "Algo ha fallado en el",
            "hub.",
            "",
            "Apague el hub y",
            "enciéndalo de nuevo",
        ],
    }
    .map(String::from)
}

/// That there is more than one file of a name.
fn several(name: &str) -> [String; 4] {
    [
        "Hay varios archivos".into(),
        format!("{name}. Deje"),
        "sólo uno y reinicie".into(),
        "el hub.".into(),
    ]
}

const fn help_kind(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Patient => "Paciente",
        RecordKind::Visit => "Visita",
        RecordKind::Form => "Formulario",
        RecordKind::Vitals => "Constantes",
        RecordKind::Problem => "Diagnóstico",
        RecordKind::Appointment => "Cita",
        RecordKind::Prescription => "Receta",
        RecordKind::Dispensed => "Entregado",
        RecordKind::Other => "Registro",
    }
}

const fn help_reason(reason: HeldReason) -> &'static str {
    match reason {
        HeldReason::NoRight => "Sin permiso",
        HeldReason::BelongsToNothing => "Falta su paciente",
        HeldReason::Unreadable => "No se puede leer",
    }
}

fn age(ago: Ago) -> String {
    match ago {
        Ago::Now => "0 min".into(),
        Ago::Minutes(minutes) => format!("{minutes} min"),
        Ago::Hours(hours) => format!("{hours} h"),
        Ago::Days(days) => format!("{days} d"),
    }
}
