//! The panel's texts in Spanish.

use super::super::text::{printable, size};
use super::super::view::{Fault, Question};
use super::{Ago, Asked, Note, Strings};

pub(super) static STRINGS: Strings = Strings {
    welcome: "Bienvenido",
    language_name: "Español",
    have_paper: "Tenga papel y lápiz",
    begin: "empezar",
    setup_file: "Archivo de ajustes",
    setup_file_text: |line| {
        let what = line.map_or_else(|| "usa: es ilegible.".into(), |line| format!("usa. Línea {line}."));
        [
            "hub-setup.toml no se".into(),
            what,
            "Corríjalo y reinicie".into(),
            "el hub.".into(),
        ]
    },
    go_on: "seguir",
    choose_pin: "PIN nuevo",
    choose_pin_text: ["De 8 a 12 cifras que", "sólo sepa el equipo"],
    repeat_pin: "PIN otra vez",
    repeat_pin_text: ["Teclee el mismo PIN", "otra vez"],
    setting_up: "Preparando",
    setting_up_text: "Creando las claves",
    write_code: "Código de rescate",
    wrong_group: |group| format!("Grupo {group} difiere"),
    write_code_hint: "lo he anotado",
    check_code: "Comprobación",
    check_code_text: |group| ["De su papel,".into(), format!("teclee el grupo {group}")],
    locked: "Bloqueado",
    locked_text: ["Teclee el PIN", "¿Perdido? Mantenga OK"],
    locked_use_code: ["Teclee el PIN o pulse", "OK largo: código"],
    wait: "Espere",
    wait_text: "Demasiados PIN falsos",
    wait_hold: "¿Perdido? Mantenga OK",
    wait_use_code: "Use el código rescate",
    wait_hold_for_code: "Mantenga OK: teclear",
    wait_leave: "Mantenga OK: salir",
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
    address_what_to_do: "Empareje de nuevo",
    phones_today_short: |count| format!("{count} hoy"),
    held_short: |count| format!("{count} ret."),
    clock_good_short: "En hora",
    clock_bad_short: "Sin hora",
    disk_short: |percent| {
        if percent < 100 {
            format!("{percent}% uso")
        } else {
            "lleno".into()
        }
    },
    status: "Estado",
    phones_today: "Teléfonos hoy",
    held: "Filas retenidas",
    clock: "Reloj",
    clock_good: "en hora",
    clock_bad: "sin hora",
    disk: "Disco",
    disk_used: |percent| format!("{percent}% usado"),
    disk_nearly_full: "Disco casi lleno",
    disk_get_help: "Prevea otro mayor",
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
    phone_revoked: ["Revocado: el hub", "rechaza el teléfono"],
    leave: "Volver",
    revoke: "Revocar",
    revoke_title: "¿Revocar?",
    revoke_text: ["El hub lo rechazará", "para siempre"],
    present_pin: "PIN actual",
    present_pin_text: ["Primero teclee el PIN", "que abre el hub"],
    pin_changed: "PIN cambiado",
    pin_changed_text: ["Sólo el PIN nuevo", "abre ya el hub.", "Avise a los demás."],
    pin_kept: "PIN sin cambiar",
    pin_kept_text: ["El PIN de antes sigue", "abriendo el hub.", "Inténtelo otra vez."],
    power_off: "¿Apagar?",
    power_off_text: ["El hub se bloquea. No", "hay teléfonos hasta", "encenderlo otra vez."],
    power_off_now: "Apagar",
    off: "Apagando",
    off_text: ["Desenchufe el hub", "cuando su luz verde", "quede apagada."],
    pair: "Escanear",
    pair_keep: ["OK: seguir", "abierto"],
    pair_kept: ["OK: volver", "al tiempo"],
    pair_close: ["OK largo:", "cerrar"],
    pair_stays: "Abierto",
    pair_shade: ["Dé sombra", "al panel"],
    paired: "Emparejado",
    paired_text: "¿Es uno de los suyos?",
    unnamed_phone: |number| format!("Teléfono {number}"),
    keep: "Guardar",
    undo: "Deshacer",
    lock: "¿Bloquear?",
    lock_text: ["Los teléfonos esperan", "hasta que se teclee", "aquí el PIN."],
    lock_now: "Bloquear",
    cancel: "Cancelar",
    formatting: "Creando el disco",
    formatting_text: "No apague el hub",
    moving: "Moviendo los datos",
    moving_text: "Puede durar una hora",
    question,
    no: "No",
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
        Note::SetUpFailed => ["Ha fallado.".into(), "Elija otra vez el PIN".into()],
        Note::WrongPin(1) => ["PIN falso. 1 intento".into(), "antes de esperar".into()],
        Note::WrongPin(tries) => ["PIN falso. Intentos".into(), format!("sin espera: {}", tries.min(99))],
        Note::MistypedGroup => ["Mal tecleado: repita".into(), "este grupo".into()],
        Note::WrongCode => ["Ese código es falso.".into(), "Desde el grupo 1".into()],
        Note::Cleared => ["Cifras borradas: hace".into(), "rato sin pulsar".into()],
    }
}

const UNITS: [&str; 3] = ["MB", "GB", "TB"];

fn question(question: &Question) -> Asked {
    match question {
        Question::EraseDisk { name, bytes } => Asked {
            title: "¿Borrar el disco?",
            text: [
                printable(name, 21),
                format!("{}, con datos:", size(*bytes, UNITS)),
                "todo se perderá".into(),
            ],
            yes: "Borrar",
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
        Question::PutBack { firmware } => Asked {
            title: "Falló la versión",
            text: [
                "Los datos no abren.".into(),
                "¿Volver a los de la".into(),
                format!("versión {}?", printable(firmware, 9)),
            ],
            yes: "Volver",
        },
    }
}

fn fault_text(fault: &Fault) -> [String; 5] {
    match fault {
        Fault::Keys => [
            "Las claves del disco",
            "no se pueden leer.",
            "",
            "No lo formatee: pida",
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
            return [
                "Los datos necesitan".into(),
                format!("versión {}", printable(needs, 12)),
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
        Fault::Disk => [
            "No se puede escribir",
            "en el disco.",
            "",
            "Mire si está puesto,",
            "y encienda de nuevo",
        ],
        Fault::DiskFull => [
            "El disco está lleno",
            "del todo.",
            "",
            "No se perdió nada:",
            "pida ayuda técnica",
        ],
        Fault::DiskFailed => [
            "El disco falla. El",
            "hub está bloqueado.",
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
            "Siguen en la tarjeta",
            "vieja: reintente",
        ],
        Fault::NoDisk => [
            "No hay disco de",
            "datos conectado.",
            "",
            "Conéctelo: el hub",
            "sigue solo",
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
            "El hub está cerrado",
        ],
        Fault::CardGone => [
            "Se quitó la tarjeta",
            "SD.",
            "",
            "Vuelva a ponerla y",
            "reinicie el hub",
        ],
        Fault::Port => [
            "Ningún teléfono llega",
            "al hub: puerto usado.",
            "",
            "Apague el hub y",
            "enciéndalo de nuevo",
        ],
        Fault::Restarts => [
            "Falla demasiado: el",
            "hub sigue cerrado.",
            "",
            "Espere 10 minutos y",
            "ponga el PIN; o ayuda",
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
