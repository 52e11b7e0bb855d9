//! The panel's texts in French.

use super::super::names::of_person;
use super::super::text::{date, printable, size};
use super::super::view::{
    BackupStanding, CloudStanding, ErrandEnd, Fault, HeldReason, ImportFile, News, Obstacle, Question, RecordKind,
    Unlocking, UsbStanding, UsbStatus, UsbTrouble,
};
use super::{Ago, Asked, IMPORT_FILE, Note, SETUP_FILE, Strings, Told};

pub(super) static STRINGS: Strings = Strings {
    welcome: "Bienvenue",
    language_name: "Français",
    begin: "commencer",
    setup_file: "Fichier réglages",
    setup_file_text: |line| {
        let what = line.map_or_else(|| "Il est illisible.".into(), |line| format!("Erreur ligne {line}."));
        [
            "hub-setup.toml ignoré".into(),
            what,
            "Corrigez-le, puis".into(),
            "redémarrez le hub.".into(),
        ]
    },
    several_setup_files: || several(SETUP_FILE),
    old_disk: "Dossiers déplacés",
    old_disk_text: |bytes| {
        [
            "Retirez le disque de".into(),
            format!("{}. Sa copie est", size(bytes, UNITS)),
            "verrouillée; on peut".into(),
            "l'effacer sur un PC.".into(),
        ]
    },
    import_file: "Fichier de données",
    import_file_text: |file| {
        let mistake = |what: String| {
            [
                "clinic.json ignoré.".into(),
                what,
                "Corrigez-le, puis".into(),
                "redémarrez le hub.".into(),
            ]
        };
        match file {
            ImportFile::Mistake { line: Some(line) } => mistake(format!("Voir ligne {line}.")),
            ImportFile::Mistake { line: None } => mistake("Il est illisible.".into()),
            ImportFile::StillThere => [
                "clinic.json est resté".into(),
                "sur la carte, lisible".into(),
                "par tous: effacez-le".into(),
                "sur un ordinateur.".into(),
            ],
            ImportFile::Several => several(IMPORT_FILE),
            ImportFile::SameEmail { names: [one, other] } => [
                "Même e-mail pour:".into(),
                of_person(&one),
                of_person(&other),
                "Donnez-en un à chacun".into(),
            ],
        }
    },
    go_on: "continuer",
    choose_pin: "Nouveau PIN",
    choose_pin_text: |fewest| [format!("De {fewest} à 12 chiffres,"), "réservés à l'équipe".into()],
    repeat_pin: "Confirmer PIN",
    repeat_pin_text: ["Tapez le même PIN", "encore une fois"],
    setting_up: "Préparation",
    setting_up_text: "Création des clés",
    explain_code: [
        "Il ouvre si le PIN",
        "est perdu. Prenez du",
        "papier, notez-le et",
        "gardez-le sous clé.",
    ],
    explain_code_hint: "montrer",
    write_code: "Code de secours",
    wrong_group: |group| format!("Groupe {group} faux"),
    write_code_hint: "c'est noté",
    code_hidden_text: ["Masqué: 15 minutes", "sans touche"],
    code_hidden_hint: "le revoir",
    check_code: "Vérification",
    check_code_text: |group| ["D'après votre papier,".into(), format!("tapez le groupe {group}")],
    locked: "Verrouillé",
    locked_text: ["Tapez le PIN", "Oublié ? OK long"],
    locked_use_code: ["Tapez le PIN, ou OK", "long: code de secours"],
    hold_deletes: "OK long: effacer",
    wait: "Attendez",
    wait_text: "Trop de PIN faux",
    wait_hold: "Oublié ? OK long",
    wait_use_code: "Code de secours ?",
    wait_hold_for_code: "OK long: le taper",
    wait_leave: "OK long: quitter",
    enter_code: "Code de secours",
    enter_code_text: |group| [format!("Tapez le groupe {group}/8"), "Retour: précédent".into()],
    unlocking: "Ouverture",
    moment: "Un instant",
    checking: "Contrôle du PIN",
    changing: "Enregistrement",
    locking: "Verrouillage",
    open: "Hub ouvert",
    menu: "Menu",
    no_network: "Pas de réseau",
    no_network_text: ["Vérifiez le câble et", "le routeur"],
    no_network_to_pair: [
        "Aucun téléphone ne",
        "peut joindre le hub.",
        "Voyez câble et",
        "routeur; réessayez",
    ],
    back: "retour",
    address_changed: "Nouvelle adresse",
    address_before: |address| format!("avant {address}"),
    address_pair_again: "Appairez à nouveau",
    address_by_router: |before| ["Ou que le routeur".into(), format!("donne {before}")],
    address_hide: ["Tout fonctionne ?", "OK long: masquer"],
    phones_short: |count| format!("24 h: {count}"),
    need_help: |count| format!("{count} à vérifier"),
    clock_good_short: "Horloge à l'heure",
    clock_hand_short: "Réglée à la main",
    clock_bad_short: "Horloge sans date",
    disk_short: |percent| {
        if percent < 100 {
            format!("{percent}% pris")
        } else {
            "plein".into()
        }
    },
    status: "État",
    phones_in_24_h: "Tél. en 24 h",
    held: "À vérifier",
    clock: "Horloge",
    clock_good: "réseau/puce",
    clock_hand: "à la main",
    larger_disk: "Disque plus grand",
    set_clock: "Régler l'heure",
    set_clock_text: ["Haut ou bas la change", "Heure UTC, mondiale"],
    set_clock_next: "suivant",
    set_clock_take: "régler",
    clock_bad: "sans date",
    disk: "Disque",
    disk_used: |percent| format!("{percent}% plein"),
    weak_power: "Courant faible",
    too_hot: "Hub trop chaud",
    disk_nearly_full: "Presque plein",
    disk_get_help: "Prévoyez plus grand",
    disk_full: "Disque plein",
    disk_full_text: ["Chaque tél. garde ses", "saisies. Appelez."],
    disk_takes_nothing: "N'accepte plus rien",
    disk_beside: |percent| {
        if percent < 100 {
            format!("Disque {percent}%")
        } else {
            "Disque plein".into()
        }
    },
    about: "À propos",
    version: "Version",
    fingerprint: "Clé du hub",
    menu_pair: "Appairer",
    menu_change_pin: "Changer le PIN",
    menu_keys: "Clés",
    keys: "Déverrouiller",
    key_names: [
        "PIN seul",
        "PIN et clé USB",
        "Clé USB seule",
        "PIN et ce boîtier",
        "Ce boîtier seul",
    ],
    key_texts: [
        ["Un voleur du boîtier", "doit connaître le", "PIN."],
        ["Un voleur doit avoir", "les deux. Gardez la", "clé loin du boîtier."],
        ["S'ouvre au démarrage.", "Qui prend les deux", "lit tous les dossiers"],
        ["S'ouvre par le PIN,", "ici seulement. Disque", "emporté: illisible."],
        ["S'ouvre tout seul. Ne", "protège qu'un disque", "pris sans le boîtier."],
    ],
    key_no_box: ["Ce boîtier n'a pas de", "clé à lui que le hub", "puisse employer."],
    key_use: "Choisir",
    key_remove: "Retirer",
    locked_needs_stick: ["Mettez la clé USB,", "puis tapez le PIN"],
    locked_other_box: ["Disque d'un autre", "boîtier. OK long"],
    locked_no_box_key: ["Boîtier sans clé. OK", "long: code de secours"],
    locked_not_alone: ["Disque d'un autre", "boîtier: tapez le PIN"],
    menu_lock: "Verrouiller",
    menu_power_off: "Éteindre",
    language: "Langue",
    choose: "choisir",
    phones: "Téléphones",
    no_phones: ["Aucun téléphone.", "Voyez menu: Appairer"],
    phone: "Téléphone",
    seen: |ago| match ago {
        Ago::Now => "Vu à l'instant".into(),
        Ago::Minutes(minutes) => format!("Vu il y a {minutes} min"),
        Ago::Hours(hours) => format!("Vu il y a {hours} h"),
        Ago::Days(days) => format!("Vu il y a {days} j"),
    },
    phone_good: "A accès au hub",
    phone_stuck: "Bloqué: relancer app.",
    phone_full: "Trop envoyé: signaler",
    phone_ahead: ["Plus que le hub. Tout", "envoyer: app 1.5"],
    phone_revoked: ["Révoqué: le hub", "refuse ce téléphone"],
    leave: "Retour",
    revoke: "Révoquer",
    revoke_title: "Révoquer ?",
    revoke_text: "Refusé pour toujours",
    present_pin: "PIN actuel",
    present_pin_text: ["Tapez d'abord le PIN", "qui ouvre le hub"],
    staff: "Personnel",
    staff_title: "Changer ?",
    staff_figures: ["Partent", "Nouveaux", "Mots de passe", "Autres", "Autres données"],
    staff_take: "Accepter",
    no_staff: "Pas de personnel",
    no_staff_text: ["Connexion impossible:", "voir menu, Personnel"],
    menu_new_code: "Nouveau code",
    menu_restart: "Redémarrer",
    restart: "Redémarrer ?",
    restart_text: ["Les téléphones", "attendront que le hub", "soit déverrouillé."],
    restart_now: "Oui",
    restarting: "Redémarrage",
    restarting_text: ["Dans une minute, il", "peut être ouvert."],
    emergency: "Accès d'urgence",
    emergency_for: |minutes| format!("Urgence {minutes} min"),
    emergency_left: "Temps restant",
    emergency_logged: "Tout est noté",
    emergency_end: "Arrêter",
    emergency_over: "Fin d'urgence",
    emergency_nobody: ["Personne n'a lu de", "dossier ainsi."],
    errand_at_work: "En cours",
    errand_ended,
    pin_changed: "PIN changé",
    pin_changed_text: ["Seul le nouveau PIN", "ouvre le hub.", "Prévenez les autres."],
    pin_kept: "PIN inchangé",
    pin_kept_text: ["L'ancien PIN ouvre", "toujours le hub.", "Réessayez."],
    power_off: "Éteindre ?",
    power_off_text: ["Le hub se verrouille.", "Aucun téléphone avant", "le rallumage."],
    power_off_now: "Éteindre",
    off: "Arrêt en cours",
    off_text: ["Ne débranchez pas", "encore: attendez que", "cet écran le dise."],
    unplug: "Débranchez-le",
    unplug_text: ["Les dossiers sont en", "lieu sûr."],
    pair: "À scanner",
    pair_keep: ["OK: rester", "ouvert"],
    pair_kept: ["OK: temps", "limité"],
    pair_close: ["OK long:", "fermer"],
    pair_stays: "Ouvert",
    pair_shade: ["Faites de", "l'ombre"],
    paired: "Appairé",
    paired_text: "Est-il à vous ?",
    unnamed_phone: |number| format!("Téléphone {number}"),
    keep: "Garder",
    undo: "Retirer",
    news,
    cloud: "Cloud",
    cloud_standing: |standing| match standing {
        CloudStanding::NeverSetUp => ["Pas configuré : voir".into(), "[cloud] du manuel".into()],
        CloudStanding::NoNetwork => ["Attend le réseau".into(), String::new()],
        CloudStanding::Waiting => ["Attend la prochaine".into(), "synchro".into()],
        CloudStanding::Done(minutes) => [done(Ago::of_minutes(minutes)), String::new()],
        CloudStanding::Receiving => ["Réception".into(), String::new()],
        CloudStanding::Sending(sent, total) => [format!("Envoyé {sent}"), format!("sur {total}")],
        CloudStanding::Refused => ["Refusé : demandez".into(), "une nouvelle clé".into()],
        CloudStanding::Inactive => ["Arrêté par votre".into(), "organisation".into()],
        CloudStanding::NoClinic => ["Aucune clinique :".into(), "voir l'organisation".into()],
        CloudStanding::NoClock => ["Horloge non réglée".into(), String::new()],
        CloudStanding::Failed => ["Échec. Le hub".into(), "réessaie tout seul".into()],
        CloudStanding::Settings => ["[cloud] est faux :".into(), "appelez de l'aide".into()],
    },
    cloud_waiting: "À envoyer",
    cloud_held: "À vérifier",
    cloud_sync: "Synchro",
    back_button: "Retour",
    cloud_beside: |count| format!("Envoi: {count}"),
    cloud_key_left: [
        "La clé du cloud est",
        "encore sur la carte.",
        "Effacez-la avec un",
        "ordinateur.",
    ],
    backup: "Sauvegarde",
    backup_done: done,
    backup_none: "Aucune sauvegarde",
    backup_old: "Sauvegarde ancienne",
    backup_failing: "Sauvegarde arrêtée",
    keys_at_work: |percent| format!("Clés neuves: {percent} %"),
    keys_need_code: "Nouveau code requis",
    keys_no_room: "Clés: pas de place",
    keys_failed: "Clés inchangées",
    backup_standing: |standing| match standing {
        BackupStanding::Away => "Clé USB absente",
        BackupStanding::Following => "Clé USB à jour",
        BackupStanding::Copying(_) => "Copie en cours",
        BackupStanding::Full => "La clé USB est pleine",
        BackupStanding::Failed => "Échec, réessaiera",
        BackupStanding::WeakPower => "Attend : courant bas",
        BackupStanding::AnotherHubs => "Clé d'un autre hub",
        BackupStanding::Unreadable => "P41 Clé illisible",
    },
    backup_now: "Copier",
    backup_use: "Choisir",
    backup_stick: "Sauvegarder ici ?",
    backup_stick_text: |name, bytes| {
        [
            printable(name, 21),
            format!("{} : rien n'y", size(bytes, UNITS)),
            "est effacé".into(),
        ]
    },
    backup_yes: "Oui",
    usb: "USB",
    usb_standing,
    usb_start: "Début",
    usb_arrived: "Arrivés",
    help: "À vérifier",
    help_none: ["Rien n'attend", "d'aide"],
    help_kind,
    help_reason,
    help_try: "Réessayer",
    age,
    lock: "Verrouiller ?",
    lock_text: ["Les téléphones", "attendront que le hub", "soit déverrouillé."],
    lock_now: "Oui",
    cancel: "Non",
    formatting: "Création du disque",
    formatting_text: "N'éteignez pas le hub",
    moving: "Déplacement",
    moving_text: "Peut durer une heure",
    repairing: "Réparation",
    restoring: "Restauration",
    question,
    no: "Non",
    which_disk_card: "carte SD",
    which_disk_used: "Utilisé",
    disk_size: |bytes| size(bytes, UNITS),
    which_disk_next: "Suivant",
    fault: "Problème",
    delete_key: "Effacer",
    note: note_text,
    fault_text,
};

fn note_text(note: Note) -> [String; 2] {
    match note {
        Note::TooShort(min) => [format!("Au moins {min} chiffres,"), "continuez".into()],
        Note::TooLong(max) => ["Trop long:".into(), format!("{max} chiffres au plus")],
        Note::Mismatch => ["Les PIN diffèrent.".into(), "Choisissez à nouveau".into()],
        Note::TooSimple => ["Trop facile à deviner".into(), "Prenez un autre PIN".into()],
        Note::WrongPin(1) => ["PIN faux. 1 essai".into(), "avant une attente".into()],
        Note::WrongPin(tries) => ["PIN faux. Essais".into(), format!("avant attente: {}", tries.min(99))],
        Note::MistypedGroup => ["Faute de frappe:".into(), "retapez ce groupe".into()],
        Note::WrongCode => ["Ce code est faux.".into(), "Reprenez au groupe 1".into()],
        Note::Cleared => ["Chiffres effacés:".into(), "trop long sans touche".into()],
    }
}

fn errand_ended(end: ErrandEnd) -> [String; 4] {
    match end {
        ErrandEnd::StaffTaken => [
            "Le personnel est à",
            "jour. Le fichier est",
            "effacé. Qui part est",
            "déconnecté.",
        ]
        .map(String::from),
        ErrandEnd::StaffFileLeft => [
            "Accepté. Le fichier",
            "est encore là. Chacun",
            "peut le lire. À",
            "effacer sur un PC.",
        ]
        .map(String::from),
        ErrandEnd::NoStaffFile => [
            "Pas de clinic.json.",
            "Mettez-le sur une clé",
            "ou sur la carte, puis",
            "réessayez.",
        ]
        .map(String::from),
        ErrandEnd::StaffUnchanged => {
            ["Rien de nouveau dans", "clinic.json. Rien n'a", "été changé.", ""].map(String::from)
        }
        ErrandEnd::StaffOfCloud => [
            "Le personnel est géré",
            "dans le cloud.",
            "Demandez à",
            "l'organisation.",
        ]
        .map(String::from),
        ErrandEnd::CodeRenewed => {
            ["Seul le nouveau code", "est bon. Déchirez", "l'ancien papier.", ""].map(String::from)
        }
        ErrandEnd::Unlocking(Unlocking::Pin) => {
            ["Le PIN seul ouvre le", "hub, sans clé USB.", "", ""].map(String::from)
        }
        ErrandEnd::Unlocking(Unlocking::PinAndStick) => [
            "Le PIN et la clé USB",
            "ouvrent le hub. La",
            "retirer verrouille le",
            "hub.",
        ]
        .map(String::from),
        ErrandEnd::Unlocking(Unlocking::Stick) => [
            "La clé USB ouvre le",
            "hub au démarrage. La",
            "retirer verrouille le",
            "hub.",
        ]
        .map(String::from),
        ErrandEnd::Unlocking(Unlocking::NoStick) => {
            ["La clé USB seule", "n'ouvre plus le hub.", "Le PIN l'ouvre.", ""].map(String::from)
        }
        ErrandEnd::Unlocking(Unlocking::PinAndBox) => [
            "Le PIN et ce boîtier",
            "ouvrent le hub.",
            "Ailleurs, seul le",
            "code de secours.",
        ]
        .map(String::from),
        ErrandEnd::Unlocking(Unlocking::Box) => {
            ["Le hub s'ouvre seul", "au démarrage, dans ce", "boîtier seulement.", ""].map(String::from)
        }
        ErrandEnd::Unlocking(Unlocking::NoBox) => {
            ["Le boîtier seul", "n'ouvre plus le hub.", "Le PIN l'ouvre.", ""].map(String::from)
        }
        ErrandEnd::BoxFailed => [
            "La clé du boîtier ne",
            "répond pas. Prenez",
            "un autre moyen",
            "d'ouvrir le hub.",
        ]
        .map(String::from),
        ErrandEnd::NoStick => [
            "Aucune clé USB avec",
            "un secret ou avec de",
            "la place. Mettez-la",
            "et réessayez.",
        ]
        .map(String::from),
        ErrandEnd::SeveralSticks => {
            ["Il y a plusieurs clés", "USB. N'en laissez", "qu'une et réessayez.", ""].map(String::from)
        }
        ErrandEnd::OtherKeyFile => [
            "La clé USB a un",
            "fichier hub.key qui",
            "n'en est pas un.",
            "Prenez-en une autre.",
        ]
        .map(String::from),
        ErrandEnd::StickFailed => {
            ["La clé USB ne peut", "être lue ou écrite.", "Prenez-en une autre.", ""].map(String::from)
        }
        ErrandEnd::PinTooShort => [
            "Un PIN seul demande 8",
            "chiffres ou plus.",
            "Allongez-le d'abord :",
            "menu, Changer le PIN.",
        ]
        .map(String::from),
        ErrandEnd::EmergencyOpen => [
            "Pendant 30 minutes,",
            "le personnel lit tout",
            "dossier en ligne.",
            "C'est noté par nom.",
        ]
        .map(String::from),
        ErrandEnd::NoLargerDisk => [
            "Pas d'autre disque",
            "assez grand. Il faut",
            "en brancher un, puis",
            "réessayer.",
        ]
        .map(String::from),
        ErrandEnd::ClockSet => [
            "L'heure est réglée.",
            "Après un arrêt, il",
            "faut la régler de",
            "nouveau.",
        ]
        .map(String::from),
        ErrandEnd::ClockKnown => [
            "Le réseau ou sa puce",
            "donne l'heure au hub.",
            "Il n'y a rien à",
            "régler.",
        ]
        .map(String::from),
        ErrandEnd::ClockBack => [
            "Le hub a déjà vu",
            "cette heure: elle ne",
            "peut qu'avancer. Rien",
            "n'a changé.",
        ]
        .map(String::from),
        ErrandEnd::BackupStick => [
            "Le hub sauvegarde sur",
            "cette clé. Laissez-la",
            "et gardez le papier",
            "du code ailleurs.",
        ]
        .map(String::from),
        ErrandEnd::Failed => [
            "Cela n'a pas marché.",
            "Rien n'a changé.",
            "Réessayez, ou appelez",
            "une aide technique.",
        ]
        .map(String::from),
        ErrandEnd::SeveralStaffFiles => [
            "Deux fichiers sont",
            "nommés clinic.json.",
            "Gardez-en un, puis",
            "réessayez.",
        ]
        .map(String::from),
        ErrandEnd::StaffMistake { line } => [
            "clinic.json ignoré.".into(),
            line.map_or_else(|| "Il est illisible.".into(), |line| format!("Ligne {line}.")),
            "Rien n'a été changé.".into(),
            String::new(),
        ],
        ErrandEnd::SameEmail { names: [one, other] } => [
            "Un e-mail pour deux :".into(),
            of_person(&one),
            of_person(&other),
            "À chacun le sien.".into(),
        ],
    }
}

fn news(news: News) -> Told {
    let (title, text) = match news {
        News::NotPaired(Obstacle::TooManyPhones) => (
            "Non appairé",
            [
                "Le hub connaît déjà",
                "256 téléphones, le",
                "maximum. Demandez de",
                "l'aide technique",
            ],
        ),
        News::NotPaired(Obstacle::DiskFull) => (
            "Non appairé",
            ["Le disque de données", "est plein. Demandez", "de l'aide technique", ""],
        ),
        News::NotPaired(Obstacle::NotWritten) => (
            "Non appairé",
            [
                "L'enregistrement a",
                "échoué. Rescannez; si",
                "ça continue, demandez",
                "de l'aide",
            ],
        ),
        News::RefusedForNow(Obstacle::DiskFull) => (
            "Disque plein",
            [
                "Téléphone refusé",
                "jusqu'au verrouillage",
                "seulement. Ensuite,",
                "révoquez-le à nouveau",
            ],
        ),
        News::RefusedForNow(_) => (
            "Non enregistré",
            [
                "Téléphone refusé",
                "jusqu'au verrouillage",
                "seulement. Ensuite,",
                "révoquez-le à nouveau",
            ],
        ),
        News::PairingEnded => (
            "Fin de l'appairage",
            ["15 minutes écoulées.", "Un autre téléphone ?", "Menu: Appairer", ""],
        ),
        News::Repaired => (
            "Disque réparé",
            [
                "Perte possible.",
                "N'effacez rien sur",
                "les téléphones et",
                "appelez de l'aide",
            ],
        ),
        News::Damaged => (
            "Dossiers abîmés",
            [
                "Certains illisibles.",
                "N'effacez rien sur",
                "les téléphones et",
                "appelez de l'aide",
            ],
        ),
        News::SomeLeft => (
            "Encore à vérifier",
            [
                "Certains ne passent",
                "pas. Rien n'est perdu",
                "Demandez à qui donne",
                "les droits, ou aide",
            ],
        ),
        News::AllTaken => ("Tout est pris", ["Rien n'attend plus", "d'aide", "", ""]),
        News::Restored => (
            "Hub restauré",
            [
                "Ne rallumez jamais",
                "l'ancien hub. Voyez",
                "les téléphones",
                "marqués !",
            ],
        ),
        News::NoRoomForKeys => (
            "Disque trop plein",
            [
                "Pas de place pour de",
                "nouvelles clés: un",
                "ancien PIN ouvre des",
                "copies. Voir le menu",
            ],
        ),
        News::KeysNotChanged => (
            "Clés inchangées",
            [
                "Un ancien PIN ouvre",
                "des copies. Le hub",
                "réessaie. Sinon,",
                "appelez de l'aide",
            ],
        ),
        News::NotTakenOver => (
            "Rien n'a changé",
            [
                "Cloud, bureau ou clé:",
                "comme avant. Éteignez",
                "et rallumez. Si cela",
                "reste: appelez l'aide",
            ],
        ),
        News::LogBroken => (
            "Journal abîmé",
            [
                "Le journal des accès",
                "n'est plus entier.",
                "Continuez, et appelez",
                "une aide technique",
            ],
        ),
    };
    Told { title, text }
}

const UNITS: [&str; 3] = ["Mo", "Go", "To"];

fn done(ago: Ago) -> String {
    match ago {
        Ago::Now => "Fait à l'instant".into(),
        Ago::Minutes(minutes) => format!("Fait il y a {minutes} min"),
        Ago::Hours(hours) => format!("Fait il y a {hours} h"),
        Ago::Days(days) => format!("Fait il y a {days} j"),
    }
}

fn usb_standing(usb: &UsbStatus) -> [String; 2] {
    match usb.standing {
        UsbStanding::NeverSetUp => ["Pas configuré : voir".into(), "[courier] du manuel".into()],
        UsbStanding::Idle => ["Clé USB, puis Début".into(), printable(&usb.fingerprint, 21)],
        UsbStanding::Taking => ["Lit la réponse".into(), "Laissez la clé".into()],
        UsbStanding::Packing(rows) => [format!("Écrit : {}", rows.min(999_999)), "Laissez la clé".into()],
        UsbStanding::Done { number, rows, .. } => [
            format!("No {}, {} lignes", number.min(9999), rows.min(99_999)),
            "Retirez la clé".into(),
        ],
        UsbStanding::Trouble(trouble) => usb_trouble(trouble),
    }
}

fn usb_trouble(trouble: UsbTrouble) -> [String; 2] {
    let code = trouble.code();
    match trouble {
        UsbTrouble::NoStick => ["Pas de clé USB :".into(), "mettez-la, Début".into()],
        UsbTrouble::SeveralSticks => ["Plusieurs clés USB :".into(), "n'en laissez qu'une".into()],
        UsbTrouble::StickFailed => [format!("{code} Clé illisible"), "ou protégée".into()],
        UsbTrouble::StickFull => [format!("{code} La clé USB est"), "pleine : videz-la".into()],
        UsbTrouble::AnswerDamaged => [format!("{code} Réponse abîmée :"), "demandez-en une autre".into()],
        UsbTrouble::OtherOffice => [format!("{code} Réponse d'un"), "bureau inconnu".into()],
        UsbTrouble::AnotherHub => [format!("{code} Réponse pour"), "une autre clinique".into()],
        UsbTrouble::Gap => [format!("{code} Il manque une"), "réponse : renvoyez-la".into()],
        UsbTrouble::OtherCloud => [format!("{code} Réponse d'un"), "autre cloud".into()],
        UsbTrouble::Failed => [format!("{code} Échec : refaites"), "ou appelez".into()],
    }
}

fn question(question: &Question) -> Asked {
    match question {
        Question::NewDisk { name, bytes } => Asked {
            title: "Nouveau disque",
            text: [
                printable(name, 21),
                format!("{}, vide. Garder", size(*bytes, UNITS)),
                "les dossiers dessus?".into(),
            ],
            yes: "Oui",
        },
        Question::EraseDisk { name, bytes } => Asked {
            title: "Effacer disque ?",
            text: [
                printable(name, 21),
                format!("{}, non vide:", size(*bytes, UNITS)),
                "tout sera perdu".into(),
            ],
            yes: "Effacer",
        },
        Question::DiskAway => Asked {
            title: "Branchez le disque",
            text: [
                "Le disque des".into(),
                "dossiers manque.".into(),
                "Continuer sans lui ?".into(),
            ],
            yes: "Oui",
        },
        Question::BeginAnew => Asked {
            title: "Nouveau hub vide ?",
            text: [
                "Les téléphones et les".into(),
                "dossiers de l'ancien".into(),
                "n'y sont pas.".into(),
            ],
            yes: "Commencer",
        },
        // The rest of it is drawn from figures.
        Question::WhichDisk(_) => Asked {
            title: "Quel disque ?",
            text: Default::default(),
            yes: "Prendre",
        },
        Question::UseCard { bytes } => Asked {
            title: "Pas de disque",
            text: [
                "Garder les dossiers".into(),
                "sur la carte SD ?".into(),
                format!("Libre: {}", size(*bytes, UNITS)),
            ],
            yes: "Oui",
        },
        Question::MoveData { bytes } => Asked {
            title: "Déplacer ?",
            text: [
                "Ancienne carte dans".into(),
                "le lecteur: déplacer".into(),
                format!("le tout ({}) ?", size(*bytes, UNITS)),
            ],
            yes: "Oui",
        },
        Question::LargerDisk => Asked {
            title: "Autre disque ?",
            text: ["Les dossiers passent", "sur un autre. Jusqu'à", "1 h sans téléphones."].map(String::from),
            yes: "Déplacer",
        },
        Question::GoOnMoving => Asked {
            title: "Continuer ?",
            text: ["Le déplacement vers", "l'autre disque a été", "interrompu."].map(String::from),
            yes: "Oui",
        },
        Question::Repair => Asked {
            title: "Réparer le disque?",
            text: [
                "Des dossiers peuvent".into(),
                "se perdre. D'abord,".into(),
                "appelez de l'aide".into(),
            ],
            yes: "Réparer",
        },
        Question::OtherCloud { host } => Asked {
            title: "Autre cloud ?",
            text: [
                "Les dossiers iront".into(),
                format!("vers {}", printable(host, 16)),
                "si vous dites oui.".into(),
            ],
            yes: "Oui",
        },
        Question::OtherOffice { ending } => Asked {
            title: "Autre bureau ?",
            text: [
                "Les clés USB iront au".into(),
                format!("bureau ...{}", printable(ending, 8)),
                "si vous dites oui.".into(),
            ],
            yes: "Oui",
        },
        Question::BoxKey { again: false } => Asked {
            title: "Clé du boîtier ?",
            text: ["Le boîtier reçoit une", "clé à lui, à jamais:", "c'est irréversible."].map(String::from),
            yes: "Oui",
        },
        Question::BoxKey { again: true } => Asked {
            title: "Vraiment ?",
            text: ["Elle reste dans ce", "boîtier, quel que", "soit le disque."].map(String::from),
            yes: "Écrire",
        },
        Question::NewBox => Asked {
            title: "Autre boîtier",
            text: ["Le disque était à un", "autre boîtier. Celui-", "ci doit-il l'ouvrir ?"].map(String::from),
            yes: "Oui",
        },
        Question::Withdrawn { clinic, patients } => Asked {
            title: "Effacer clinique ?",
            text: [
                "N'est plus à ce hub :".into(),
                printable(clinic, 21),
                format!("Patients : {patients}"),
            ],
            yes: "Effacer",
        },
        Question::OtherOrganisation { ending } => Asked {
            title: "Autre clé ?",
            text: [
                "Désormais, la clé".into(),
                format!("...{} ouvrira", printable(ending, 8)),
                "les sauvegardes.".into(),
            ],
            yes: "Oui",
        },
        Question::Restore { made_at } => Asked {
            title: "Restaurer ?",
            text: [date(*made_at), "Il faut le code de".into(), "secours de ce jour".into()],
            yes: "Oui",
        },
        Question::PutBack { firmware } => Asked {
            title: "Échec mise à jour",
            text: [
                "Dossiers illisibles.".into(),
                "Remettre ceux de la".into(),
                format!("version {} ?", printable(firmware, 9)),
            ],
            yes: "Remettre",
        },
    }
}

fn fault_text(fault: &Fault) -> [String; 5] {
    match fault {
        Fault::Keys => [
            "Les clés du disque",
            "sont illisibles.",
            "",
            "Ne l'effacez pas:",
            "demandez de l'aide",
        ],
        Fault::Store => [
            "Les dossiers ne",
            "s'ouvrent pas.",
            "",
            "Éteignez, rallumez.",
            "Si ça dure: appelez",
        ],
        Fault::NewerStore { needs } => {
            let newer = || ("Dossiers: il faut une", "version plus récente".into());
            let named = |needs: &String| ("Dossiers: il faut la", format!("version {}", printable(needs, 12)));
            let (first, version) = needs.as_ref().map_or_else(newer, named);
            return [
                first.into(),
                version,
                String::new(),
                "Mettez la carte de".into(),
                "cette version".into(),
            ];
        }
        Fault::WasPutBack { needs } => {
            return [
                "Les dossiers sont".into(),
                "comme avant.".into(),
                String::new(),
                "Mettez la carte de".into(),
                format!("version {}", printable(needs, 12)),
            ];
        }
        Fault::Backup { file } => {
            return [
                "Sauvegarde illisible".into(),
                file.as_ref().map_or_else(String::new, |file| printable(file, 21)),
                String::new(),
                "Éteignez, rallumez:".into(),
                "prenez-en une autre".into(),
            ];
        }
        Fault::Disk => [
            "Le disque ne peut pas",
            "être écrit.",
            "",
            "Vérifiez qu'il est",
            "branché, rallumez",
        ],
        Fault::Damaged => [
            "Le disque est abîmé,",
            "rien n'a été changé.",
            "",
            "Ne l'effacez pas:",
            "appelez de l'aide",
        ],
        Fault::Unreadable => [
            "Un disque est branché",
            "mais illisible.",
            "",
            "Rebranchez-le. Sinon:",
            "demandez de l'aide",
        ],
        Fault::WriteProtected => [
            "Le disque ou la carte",
            "est verrouillé.",
            "",
            "Retirez, poussez le",
            "loquet, remettez",
        ],
        Fault::Moved => [
            "Les dossiers de cette",
            "carte sont ailleurs.",
            "",
            "Mettez le disque ou",
            "la carte qui les a",
        ],
        Fault::OldRecords => [
            "D'anciens dossiers",
            "sont sur cette carte.",
            "",
            "Branchez le disque,",
            "ou appelez de l'aide",
        ],
        Fault::DiskFull => [
            "Le disque est plein:",
            "plus aucune place.",
            "",
            "Rien n'est perdu:",
            "demandez de l'aide",
        ],
        Fault::DiskFailed => [
            "Disque en panne.",
            "N'effacez aucun tél.",
            "",
            "Éteignez, rallumez.",
            "Sinon: appelez",
        ],
        Fault::NoRoomToUpdate => [
            "Disque trop plein",
            "pour cette version.",
            "",
            "Remettez l'ancienne",
            "carte: elle marche",
        ],
        Fault::NoRoom => [
            "La place ne suffit",
            "pas aux dossiers.",
            "",
            "Prenez une carte ou",
            "un disque plus grand",
        ],
        Fault::NotMoved => [
            "Les dossiers n'ont pu",
            "être déplacés.",
            "",
            "Ils sont là où ils",
            "étaient: réessayez",
        ],
        Fault::NoDisk => [
            "Aucun disque de",
            "données n'est là.",
            "",
            "Branchez-le: le hub",
            "continue seul",
        ],
        Fault::FakeDisk => [
            "Ce disque est faux:",
            "il perd ce qu'on y",
            "écrit. Retirez-le et",
            "mettez-en un autre",
            "",
        ],
        Fault::SeveralDisks => [
            "Plusieurs disques de",
            "données sont là.",
            "",
            "Laissez le bon,",
            "retirez les autres",
        ],
        Fault::DiskKept => [
            "Le disque reste tel",
            "quel.",
            "",
            "Branchez-en un vide",
            "ou rallumez le hub",
        ],
        Fault::DiskGone => [
            "Le disque de données",
            "a été retiré.",
            "",
            "Rebranchez-le. Le hub",
            "est verrouillé",
        ],
        Fault::CardGone => [
            "La carte SD a été",
            "retirée.",
            "",
            "Remettez-la, puis",
            "rallumez le hub",
        ],
        Fault::WeakPower => [
            "Alimentation faible,",
            "ou hub trop chaud.",
            "Rien n'a changé.",
            "Corrigez cela, puis",
            "éteignez et rallumez",
        ],
        Fault::WrongBoard => [
            "Cette carte est pour",
            "un autre boîtier.",
            "",
            "Éteignez et mettez",
            "la carte du boîtier",
        ],
        Fault::Port => [
            "Aucun téléphone ne",
            "peut joindre le hub.",
            "",
            "Éteignez le hub et",
            "rallumez-le",
        ],
        Fault::Restarts => [
            "Trop de pannes: le",
            "hub reste fermé.",
            "",
            "Attendez 10 minutes,",
            "puis PIN, ou appelez",
        ],
        Fault::Internal => ["Une panne dans le", "hub.", "", "Éteignez le hub et", "rallumez-le"],
    }
    .map(String::from)
}

/// That there is more than one file of a name.
fn several(name: &str) -> [String; 4] {
    [
        "Plusieurs fichiers".into(),
        format!("{name}: n'en"),
        "laissez qu'un, puis".into(),
        "redémarrez le hub.".into(),
    ]
}

const fn help_kind(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Patient => "Patient",
        RecordKind::Visit => "Visite",
        RecordKind::Form => "Formulaire",
        RecordKind::Vitals => "Constantes",
        RecordKind::Problem => "Diagnostic",
        RecordKind::Appointment => "Rendez-vous",
        RecordKind::Prescription => "Ordonnance",
        RecordKind::Dispensed => "Remis",
        RecordKind::Other => "Dossier",
    }
}

const fn help_reason(reason: HeldReason) -> &'static str {
    match reason {
        HeldReason::NoRight => "Droit manquant",
        HeldReason::BelongsToNothing => "Patient disparu",
        HeldReason::Unreadable => "Illisible ici",
    }
}

fn age(ago: Ago) -> String {
    match ago {
        Ago::Now => "0 min".into(),
        Ago::Minutes(minutes) => format!("{minutes} min"),
        Ago::Hours(hours) => format!("{hours} h"),
        Ago::Days(days) => format!("{days} j"),
    }
}
