//! What the owner may write, and what is said of mistakes.

use proptest::prelude::*;

use super::*;
use crate::board::BeaconKind;
use crate::secret::SecretText;

/// Reads a file's content, with nothing beside it.
fn parse(bytes: Vec<u8>) -> Result<SetupFile, SetupFileError> {
    SetupFile::parse(bytes, Path::new("/nowhere"))
}

fn error(text: &str) -> String {
    let read = parse(text.into()).map(|file| file.mistakes);
    read.map_or_else(|error| error.to_string(), |mistakes| mistakes[0].to_string())
}

/// Nothing is settled, and nothing is wrong.
fn is_empty(file: &SetupFile) -> bool {
    (file.profile, file.language) == (None, None)
        && file.network.is_none()
        && file.cloud.is_none()
        && file.mistakes.is_empty()
}

#[test]
fn the_example_of_the_module_is_read() {
    let example: String = include_str!("mod.rs")
        .lines()
        .skip_while(|line| !line.contains("```toml"))
        .skip(1)
        .take_while(|line| !line.contains("```"))
        .map(|line| line.trim_start_matches("//!").to_owned() + "\r\n")
        .collect();
    let file = parse(format!("\u{feff}{example}").into_bytes()).unwrap();
    assert_eq!(
        (file.profile, file.language, file.numerals),
        (Some("four-buttons"), Some(Language::French), Numerals::European)
    );
    let network = file.network.unwrap();
    assert_eq!(
        network.to_string(),
        "address 192.168.1.50/24\ngateway 192.168.1.1\ndns 192.168.1.1\n"
    );
    let (at, zone) = file.lock.at.unwrap();
    assert_eq!(
        (at.to_string().as_str(), zone.iana_name()),
        ("18:00:00", Some("Africa/Banjul"))
    );
    assert_eq!(file.lock.idle, Some(std::time::Duration::from_secs(4 * 3600)));
    let courier = file.courier.unwrap();
    assert!(courier.recipient.starts_with("age1ql3z7") && courier.desk.len() == 44);
    let signal = file.signal.unwrap();
    assert_eq!((signal.kind, signal.pin), (BeaconKind::Light, 12));
}

#[test]
fn a_receiver_that_is_no_key_or_an_answerer_without_one_is_told() {
    for (text, line, says) in [
        ("[courier]\nrecipient = 'age1qqq'", 2, "recipient needs the line"),
        ("[courier]\ndesk = 'AAAA'", 2, "desk needs the line"),
        ("[courier]\n", 1, "courier needs a recipient"),
        ("[courier]\nreciever = ''", 2, "write recipient or desk in [courier]"),
    ] {
        let file = parse(text.into()).unwrap();
        assert!(file.courier.is_none());
        assert_eq!(file.mistakes[0].line(), Some(line), "{text}");
        assert!(file.mistakes[0].to_string().contains(says), "{}", file.mistakes[0]);
    }
}

#[test]
fn backups_are_for_whom_the_section_names() {
    let key = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let file = parse(format!("[backup]\nrecipient = ' {key} '").into()).unwrap();
    assert!(file.mistakes.is_empty());
    assert_eq!(file.backup.unwrap().name(), key);
    for (text, line, says) in [
        ("[backup]\nrecipient = 'age1qqq'", 2, "recipient needs a public key"),
        ("[backup]\n", 1, "backup needs a recipient"),
        ("[backup]\nto = ''", 2, "write recipient in [backup]"),
    ] {
        let file = parse(text.into()).unwrap();
        assert!(file.backup.is_none());
        assert_eq!(file.mistakes[0].line(), Some(line));
        assert!(file.mistakes[0].to_string().contains(says), "{}", file.mistakes[0]);
    }
}

#[test]
fn a_mistake_in_when_to_lock_voids_that_section_alone() {
    let text = "[panel]\nlanguage = 'fr'\n[lock]\nidle_hours = 0.5\nat = '18'\ntime_zone = 'UTC'\n";
    let file = parse(text.into()).unwrap();
    assert_eq!(file.language, Some(Language::French));
    assert!(file.lock.at.is_none() && file.lock.idle.is_none());
    assert_eq!(file.mistakes[0].line(), Some(5));
    let file = parse("[lock]\nidle_hours = 0.5".into()).unwrap();
    assert_eq!(file.lock.idle, Some(std::time::Duration::from_secs(30 * 60)));
}

#[test]
fn all_of_it_may_be_left_out() {
    for text in ["", "# nothing\n", "[panel]\n"] {
        assert!(is_empty(&parse(text.into()).unwrap()));
    }
    let only = parse(b"[network]\naddress = '10.1.2.3/8'".to_vec())
        .unwrap()
        .network
        .unwrap();
    assert_eq!(only.to_string(), "address 10.1.2.3/8\n");
}

#[test]
fn every_mistake_is_told_with_its_line_and_what_to_write() {
    for (text, line, says) in [
        (
            "[panel]\nprofil = 'four-buttons'",
            2,
            "write profile, language or digits in [panel]",
        ),
        ("[help]\nphone = 'the office'", 2, "phone needs a telephone number"),
        ("[help]\nphone = '+1234567890123456789'", 2, "at most 18"),
        ("[help]\nfax = '1'", 2, "phone in [help]"),
        ("[signal]\npin = 3\nkind = 'light'", 2, "from 4 to 27"),
        ("[signal]\npin = 12\nkind = 'siren'", 3, r#""light" or "buzzer""#),
        ("[signal]\npin = 12", 1, "pin and kind in [signal]"),
        ("[signal]\npins = 12", 2, "write pin or kind in [signal]"),
        (
            "\n\n[pannel]",
            3,
            "write [panel], [help], [network], [cloud], [courier], [backup], [lock] or [signal]",
        ),
        (
            "pin = '12345678'",
            1,
            "write [panel], [help], [network], [cloud], [courier], [backup], [lock] or [signal]",
        ),
        (
            "[panel]\nprofile = 'bonnet'",
            2,
            "adafruit-bonnet, waveshare-1.3, four-buttons",
        ),
        ("[panel]\nlanguage = 'de'", 2, r#""en", "fr", "es" or "ar""#),
        ("[panel]\nlanguage = 1", 2, r#""en", "fr", "es" or "ar""#),
        ("panel = 'four-buttons'", 1, "a line [panel] of its own"),
        ("[[panel]]", 1, "a line [panel] of its own"),
        ("[panel]\nlanguage = en", 2, ""),
        ("[panel]\nlanguage = 'en'\nlanguage = 'fr'", 3, "duplicate"),
        ("[lock]\nat = '18:00'", 2, "time_zone beside it"),
        ("[lock]\nat = '6 pm'\ntime_zone = 'UTC'", 2, "a time of day"),
        ("[lock]\nat = '24:00'\ntime_zone = 'UTC'", 2, "a time of day"),
        ("[lock]\nat = '+1:00'\ntime_zone = 'UTC'", 2, "a time of day"),
        (
            "[lock]\nat = '18:00'\ntime_zone = 'Mars/Olympus'",
            3,
            "the zone of the clinic",
        ),
        ("[lock]\nidle_hours = 0", 2, "a number of hours"),
        ("[lock]\nidle_hours = '4'", 2, "a number of hours"),
        ("[lock]\nidle_hours = 1000", 2, "at most 168"),
        ("[lock]\nidle_hours = nan", 2, "a number of hours"),
        ("[lock]\nhours = 4", 2, "at, time_zone or idle_hours in [lock]"),
        ("[network]\ngateway = '10.0.0.1'", 1, "an address in [network]"),
        ("[network]\naddress = '10.0.0.2'", 2, "bits of its network"),
        ("[network]\naddress = '8.8.8.8/24'", 2, "a private address"),
        ("[network]\naddress = '10.0.0.0/24'", 2, "a private address"),
        ("[network]\naddress = '10.0.0.255/24'", 2, "a private address"),
        ("[network]\naddress = '10.0.0.2/31'", 2, "a private address"),
        ("[network]\naddress = '10.0.0.2/24; reboot'", 2, "a private address"),
        (
            "[network]\ngateway = '10.0.1.1'\naddress = '10.0.0.2/24'",
            2,
            "in the network of 10.0.0.2/24",
        ),
        (
            "[network]\naddress = '10.0.0.2/24'\ngateway = '10.0.0.2'",
            3,
            "another one",
        ),
        (
            "[network]\naddress = '10.0.0.2/24'\ndns = '10.0.0.1'",
            3,
            "a list of at most 3",
        ),
        (
            "[network]\naddress = '10.0.0.2/24'\ndns = ['0.0.0.0']",
            3,
            "a list of at most 3",
        ),
        (
            "[network]\naddress = '10.0.0.2/24'\ndns = ['1.1.1.1','1.1.1.1','1.1.1.1','1.1.1.1']",
            3,
            "at most 3",
        ),
    ] {
        let said = error(text);
        let begin = format!("hub-setup.toml, line {line}: ");
        assert!(said.starts_with(&begin) && said.contains(says), "{text:?} {said:?}");
        assert!(said.len() > begin.len() + 5, "{said:?}");
    }
}

const KEY: &str = "hh_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

#[test]
fn a_mistake_in_one_entry_of_the_cloud_leaves_the_others() {
    let text = format!(
        "[panel]\nlanguage = 'fr'\nprofile = 'none'\n[cloud]\nurl = 'https://cloud.example.org/'\napi_key = '{KEY}'\n\
         colour = 'red'\ntime_zone = 'Mars/Olympus'\nca_file = '../ca.pem'\nname = 'North'\n"
    );
    let file = parse(text.clone().into()).unwrap();
    let lines: Vec<_> = file.mistakes.iter().map(|mistake| mistake.line().unwrap()).collect();
    assert_eq!(lines, [9, 7, 8, 3], "{:?}", file.mistakes);
    let cloud = file.cloud.unwrap();
    assert_eq!(
        (cloud.url.as_str(), cloud.name.as_deref()),
        ("https://cloud.example.org", Some("North"))
    );
    assert_eq!(
        (cloud.api_key, cloud.time_zone, cloud.ca),
        (Some(SecretText::new(KEY.into())), Entry::Mistaken, Entry::Mistaken)
    );
    for mistake in file.mistakes {
        assert!(!mistake.to_string().contains(KEY));
    }
}

/// A certificate of nobody: P-256, made for this test.
const PEM: &str = "-----BEGIN CERTIFICATE-----
MIIBeTCCAR+gAwIBAgIUGf+c4rJRCfizNizcHpPmqRLYqlkwCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGTm9ib2R5MCAXDTI2MTEyNzEzMTAwMFoYDzIxMjYxMTAzMTMx
MDAwWjARMQ8wDQYDVQQDDAZOb2JvZHkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AAQbeACceQSa0fG3H3nTObqC8WCXmS7U45VBLxZ1PE/XqcuB/sVBEWuWHkBrqjjl
wPDr8Y46a/Wj15gT+PwTxVn+o1MwUTAdBgNVHQ4EFgQUFAT8EGtFPsRTYNLr+SGt
qIvgS44wHwYDVR0jBBgwFoAUFAT8EGtFPsRTYNLr+SGtqIvgS44wDwYDVR0TAQH/
BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEA4hdcutSnq8PVGZnhLpzt6dIQ3ciu
96TKhObTa4N3atsCIDYmgKVnqXdn6py2DdbWykxDlQJ1cAChYHU29GrtzIgM
-----END CERTIFICATE-----
";

#[test]
fn a_file_of_certificates_that_can_not_be_used_is_a_mistake_of_its_entry_alone() {
    let folder = tempfile::tempdir().unwrap();
    let setup = folder.path().join("hub-setup.toml");
    let text = format!("[cloud]\nurl = 'https://c.example'\nca_file = 'ca.pem'\napi_key = '{KEY}'\n");
    std::fs::write(&setup, text).unwrap();
    let ca = folder.path().join("ca.pem");
    let is_mistaken = |says: &str| {
        let file = SetupFile::read(&setup).unwrap();
        let [mistake] = &file.mistakes[..] else {
            panic!("{:?}", file.mistakes)
        };
        let said = mistake.to_string();
        assert!(
            said.starts_with("hub-setup.toml, line 3: ca_file needs ") && said.contains(says),
            "{said}"
        );
        let cloud = file.cloud.unwrap();
        assert_eq!((cloud.ca, cloud.api_key.is_some()), (Entry::Mistaken, true));
    };
    is_mistaken("there is none");
    std::fs::create_dir(&ca).unwrap();
    is_mistaken("can be read");
    std::fs::remove_dir(&ca).unwrap();
    nix::unistd::mkfifo(&ca, nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR).unwrap();
    is_mistaken("can be read");
    std::fs::remove_file(&ca).unwrap();
    let cut = &PEM[..PEM.len() / 2];
    let altered = PEM.replacen('M', "!", 2);
    let second = format!("{PEM}{}", PEM.replacen("MII", "AAA", 1));
    let key = PEM.replace("CERTIFICATE", "PRIVATE KEY");
    for no_pem in ["", "\u{30}\u{82}\u{1}", "ca", cut, &altered, &second, &key] {
        std::fs::write(&ca, no_pem).unwrap();
        is_mistaken("in PEM");
    }
    std::fs::write(&ca, PEM.to_owned() + &" ".repeat(64 * 1024)).unwrap();
    is_mistaken("at most 64 KiB");

    for good in [
        PEM.to_owned(),
        format!("\u{feff}Our own\r\n{}", PEM.replace('\n', "\r\n")),
    ] {
        std::fs::write(&ca, good).unwrap();
        let file = SetupFile::read(&setup).unwrap();
        assert!(file.mistakes.is_empty(), "{:?}", file.mistakes);
        let Entry::Says(pem) = file.cloud.unwrap().ca else {
            panic!()
        };
        assert!(pem.contains("BEGIN CERTIFICATE") && !pem.starts_with('\u{feff}'));
    }
    // As a computer names it that hides the ending.
    std::fs::rename(&ca, folder.path().join("ca.pem.txt")).unwrap();
    assert!(SetupFile::read(&setup).unwrap().mistakes.is_empty());
    std::fs::write(&ca, PEM).unwrap();
    is_mistaken("leave one of them");
}

#[test]
fn records_go_nowhere_in_the_clear_but_to_this_machine() {
    for (url, is_taken) in [
        ("https://cloud.example.org", true),
        ("http://127.0.0.1:4080", true),
        ("http://localhost:4080/base", true),
        ("http://cloud.example.org", false),
        ("http://127.0.0.1.example.org", false),
        ("https://name:word@cloud.example.org", false),
        ("https://cloud.example.org/?a=b", false),
        ("ftp://cloud.example.org", false),
        ("cloud.example.org", false),
        ("", false),
    ] {
        let file = parse(format!("[cloud]\nurl = '{url}'").into()).unwrap();
        assert_eq!(file.cloud.is_some(), is_taken, "{url}");
        assert_eq!(file.mistakes.is_empty(), is_taken, "{url}");
    }
}

#[test]
fn the_key_is_overwritten_in_its_place_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub-setup.toml");
    forget_cloud_key(&path).unwrap();
    for text in [
        format!(
            "\u{feff}[panel]\nlanguage = 'fr' # api_key = x\n[cloud]\r\nurl = 'https://c.example'\napi_key = \"{KEY}\" # ours\nname = 'é'\n"
        ),
        format!("cloud = {{ api_key = '{KEY}', url = 'https://c.example' }}\n"),
    ] {
        std::fs::write(&path, &text).unwrap();
        forget_cloud_key(&path).unwrap();
        let left = std::fs::read_to_string(&path).unwrap();
        assert_eq!(left, text.replace(KEY, &" ".repeat(KEY.len())));
        let file = SetupFile::read(&path).unwrap();
        assert!(file.mistakes.is_empty() && file.cloud.unwrap().api_key.is_none());
        forget_cloud_key(&path).unwrap();
        // A power cut leaves a part of the key, which is none and no mistake.
        std::fs::write(&path, text.replace(&KEY[..20], &" ".repeat(20))).unwrap();
        let file = SetupFile::read(&path).unwrap();
        assert!(file.mistakes.is_empty() && file.cloud.unwrap().api_key.is_none());
        forget_cloud_key(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), left);
    }
}

#[test]
fn what_is_no_text_or_too_much_of_it_is_refused() {
    let not_text = parse(b"[panel]\n# caf\xE9\n".to_vec()).unwrap_err();
    assert_eq!(not_text.line(), Some(2));
    let large = vec![b'#'; usize::try_from(MAX_BYTES).unwrap() + 1];
    assert!(parse(large[1..].to_vec()).is_ok());
    assert!(matches!(parse(large), Err(SetupFileError::TooLarge)));
    let deep = "a = ".to_owned() + &"[".repeat(10_000);
    assert!(matches!(
        parse(deep.into()),
        Err(SetupFileError::Syntax { line: 1, .. })
    ));
}

#[test]
fn a_file_that_is_not_there_settles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub-setup.toml");
    assert!(is_empty(&SetupFile::read(&path).unwrap()));
    std::fs::write(&path, "[panel]\nlanguage = 'es'\n").unwrap();
    assert_eq!(SetupFile::read(&path).unwrap().language, Some(Language::Spanish));
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(matches!(SetupFile::read(&path), Err(SetupFileError::Read(_))));
}

#[test]
fn digits_are_those_of_the_language_unless_the_file_says_otherwise() {
    let read = |text: &str| parse(format!("[panel]\nlanguage = 'ar'\n{text}").into_bytes()).unwrap();
    assert_eq!(read("").numerals, Numerals::Own);
    assert_eq!(read("digits = 'arab'").numerals, Numerals::Own);
    assert_eq!(read("digits = 'latn'").numerals, Numerals::European);
    let wrong = read("digits = 'roman'");
    assert_eq!((wrong.language, wrong.mistakes[0].line()), (None, Some(3)));
}

#[test]
fn a_file_as_computers_save_it_is_taken_and_of_two_none() {
    let spanish = "[panel]\r\nlanguage = 'es'\r\n";
    let wide: Vec<u8> = [0xFEFF]
        .into_iter()
        .chain(spanish.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    for (name, bytes) in [
        ("hub-setup.toml.txt", spanish.as_bytes()),
        ("Hub-Setup.TOML", spanish.as_bytes()),
        ("hub-setup.toml", &wide),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub-setup.toml");
        std::fs::write(folder.path().join(name), bytes).unwrap();
        assert_eq!(
            SetupFile::read(&path).unwrap().language,
            Some(Language::Spanish),
            "{name}"
        );
        std::fs::write(folder.path().join("HUB-SETUP.TOML.TXT"), spanish).unwrap();
        let refused = SetupFile::read(&path).unwrap_err();
        assert!(matches!(refused, SetupFileError::Several), "{refused}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_taken_or_refused(bytes: Vec<u8>) {
        let _ = parse(bytes);
    }

    /// Whatever is taken prints as words, numbers, dots and slashes: nothing that a shell could take for more.
    #[test]
    fn what_init_reads_is_plain(address: u32, bits in 0..40_u8, gateway: u32, dns in prop::collection::vec(any::<u32>(), 0..5)) {
        let [address, gateway] = [address, gateway].map(Ipv4Addr::from);
        let dns: Vec<String> = dns.into_iter().map(|server| Ipv4Addr::from(server).to_string()).collect();
        let text = format!("[network]\naddress='{address}/{bits}'\ngateway='{gateway}'\ndns={dns:?}");
        if let Ok(SetupFile { network: Some(network), .. }) = parse(text.into()) {
            let lines = network.to_string();
            prop_assert!(lines.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" ./\n".contains(&byte)));
            prop_assert!(lines.lines().count() <= 2 + MAX_DNS);
        }
    }
}
