use proptest::prelude::*;

use super::*;

const HEADINGS: &str = "Name,E-mail,Role,Clinic,Rights,Password,Leaves\n";

fn made(lines: &str) -> Result<(Value, Staff), StaffFileError> {
    let clinics = Clinics::default().with_new("North").with_new("South");
    let table = format!("{HEADINGS}{lines}");
    let (file, staff) = make(table.as_bytes(), &clinics, HubTime::from_millis(1_800_000_000_000))?;
    assert_eq!(
        check(file.as_bytes()).unwrap(),
        staff,
        "what is made passes its own check"
    );
    Ok((serde_json::from_str(&file).unwrap(), staff))
}

fn mistake(lines: &str) -> (usize, Mistake) {
    match made(lines) {
        Err(StaffFileError::Line { line, what }) => (line, what),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_table_becomes_users_with_hashes_and_rights() {
    let (file, staff) = made(
        "Amina Haddad,amina@clinic.example,Provider,North,\"register_patients, can_view_history\",longenough,\n\
         Amina Haddad,AMINA@clinic.example,provider,South,all,,no\n\
         ,gone@clinic.example,,,,,yes\n",
    )
    .unwrap();
    assert_eq!((staff.stay, staff.leave, staff.passwords), (1, 1, 1));
    let users = file["changes"]["users"]["created"].as_array().unwrap();
    let of = |email: &str| users.iter().find(|user| user["email"] == email).unwrap();
    let (amina, gone) = (of("amina@clinic.example"), of("gone@clinic.example"));
    assert!(bcrypt::verify("longenough", amina["hashed_password"].as_str().unwrap()).unwrap());
    assert_eq!((&gone["is_deleted"], gone.get("hashed_password")), (&json!(true), None));
    let permissions = file["changes"]["user_clinic_permissions"]["created"]
        .as_array()
        .unwrap();
    let counts: Vec<_> = permissions
        .iter()
        .map(|row| {
            assert_eq!(row["user_id"], amina["id"]);
            right_columns()
                .iter()
                .filter(|right| row[**right] == json!(true))
                .count()
        })
        .collect();
    assert!(
        counts.contains(&2) && counts.contains(&right_columns().len()),
        "{counts:?}"
    );
    assert!(!file.to_string().contains("longenough"));
}

#[test]
fn the_same_table_gives_the_same_ids_and_a_clinic_is_found_by_its_name() {
    let ids = || {
        made("A B,a@b.example,admin,North,all,longenough,\n").unwrap().0["changes"]["users"]["created"][0]["id"].clone()
    };
    assert_eq!(ids(), ids());
    let known = r#"{"changes":{"clinics":{"created":[{"id":"c-1","name":"North"}]}}}"#;
    let clinics = Clinics::of_file(known.as_bytes()).unwrap();
    let table = format!("{HEADINGS}A B,a@b.example,admin,North,all,longenough,\n");
    let (file, _) = make(table.as_bytes(), &clinics, HubTime::ZERO).unwrap();
    assert!(file.contains(r#""clinic_id":"c-1""#));
    let unknown = table.replace("North", "Nowhere");
    let refused = make(unknown.as_bytes(), &clinics, HubTime::ZERO).unwrap_err();
    assert_eq!(refused.to_string(), "line 2: no clinic: \"Nowhere\"");
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_without_the_password() {
    let good = "A B,a@b.example,admin,North,all,longenough,\n";
    let second = |line: &str| mistake(&format!("{good}{line}"));
    assert_eq!(
        second("C,no address,admin,North,,longenough,\n"),
        (3, Mistake::Email("no address".into()))
    );
    assert_eq!(
        second("C,c@d.example,chief,North,,longenough,\n"),
        (3, Mistake::Role("chief".into()))
    );
    assert_eq!(
        second("C,c@d.example,admin,East,,longenough,\n"),
        (3, Mistake::Clinic("East".into()))
    );
    assert_eq!(
        second("C,c@d.example,admin,North,fly,longenough,\n"),
        (3, Mistake::Right("fly".into()))
    );
    assert_eq!(second("C,c@d.example,admin,North,,short,\n"), (3, Mistake::Password));
    assert_eq!(
        second(&format!("C,c@d.example,admin,North,,{},\n", "x".repeat(73))),
        (3, Mistake::Password)
    );
    assert_eq!(
        second(",c@d.example,admin,North,,longenough,\n"),
        (3, Mistake::Missing("name"))
    );
    assert_eq!(second("A B,A@B.example,admin,North,,,\n"), (3, Mistake::Twice));
    assert_eq!(
        second("A B,a@b.example,admin,South,,another one,\n"),
        (3, Mistake::Differs)
    );
    assert_eq!(second("A B,a@b.example,,,,,yes\n"), (3, Mistake::Differs));
    assert_eq!(second("C,c@d.example\n"), (3, Mistake::Fields));
    assert!(matches!(
        make(&b"name,email\nA,a@b.example\n"[..], &Clinics::default(), HubTime::ZERO),
        Err(StaffFileError::NoColumn("role"))
    ));
    assert!(matches!(made(""), Err(StaffFileError::Empty)));
    let told = format!("{:?}", second("C,c@d.example,chief,North,,my own secret,\n"));
    assert!(!told.contains("secret"));
}

#[test]
fn a_table_as_spreadsheets_save_it_is_read() {
    let table = "\u{feff}name;email;role;clinic;rights;password\r\nA B;a@b.example;admin;North;all;longenough\r\n";
    let clinics = Clinics::default().with_new("North");
    let wide: Vec<u8> = table.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [table.as_bytes(), &wide] {
        assert_eq!(make(bytes, &clinics, HubTime::ZERO).unwrap().1.stay, 1);
    }
}

#[test]
fn a_file_with_a_hash_that_no_login_takes_is_refused_with_its_line() {
    let file = |hash: &str| {
        format!(
            "{{\"changes\":{{\"users\":{{\"created\":[\n{{\"id\":\"u\",\"email\":\"a@b.example\",\"hashed_password\":\"{hash}\"}}]}}}}}}"
        )
    };
    let cheap = format!("$2b$04${}", "a".repeat(53));
    let refused = check(file(&cheap).as_bytes()).unwrap_err();
    assert!(matches!(
        refused,
        StaffFileError::Line {
            line: 2,
            what: Mistake::Hash
        }
    ));
    assert!(check(file(&cheap.replace("$04$", "$10$")).as_bytes()).is_ok());
}

proptest! {
    #[test]
    fn no_table_and_no_file_panic(text: String) {
        let _ = make(text.as_bytes(), &Clinics::default(), HubTime::ZERO);
        let _ = make(format!("{HEADINGS}{text}").as_bytes(), &Clinics::default(), HubTime::ZERO);
        let _ = check(text.as_bytes());
    }
}
