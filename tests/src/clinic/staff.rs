//! Clinics, users with their rights, departments and settings.

use serde_json::json;

use super::source::{Build, Source};

/// The rights that a permission row can give, by column.
pub const RIGHTS: [&str; 11] = [
    "can_register_patients",
    "can_view_history",
    "can_edit_records",
    "can_delete_records",
    "is_clinic_admin",
    "can_edit_other_provider_event",
    "can_download_patient_reports",
    "can_prescribe_medications",
    "can_dispense_medications",
    "can_delete_patient_visits",
    "can_delete_patient_records",
];

const REGISTER: &str = RIGHTS[0];
const VIEW: &str = RIGHTS[1];
const EDIT: &str = RIGHTS[2];
const DELETE: &str = RIGHTS[3];
const EDIT_OTHERS: &str = RIGHTS[5];
const REPORTS: &str = RIGHTS[6];
const PRESCRIBE: &str = RIGHTS[7];
const DISPENSE: &str = RIGHTS[8];

/// bcrypt's cost, the lowest that clouds use.
const COST: u32 = 10;

/// A user of the demo, with what is needed to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoUser {
    /// The user's id.
    pub id: String,
    /// The name.
    pub name: String,
    /// The e-mail to log in with.
    pub email: String,
    /// The password to log in with.
    pub password: String,
    /// `provider`, `admin` or `registrar`.
    pub role: String,
    /// The home clinic.
    pub clinic_id: String,
    /// The columns of the permission row that are true, by clinic.
    pub rights: Vec<(String, Vec<&'static str>)>,
}

/// A user before ids are known; clinics are 0 and 1.
struct Post {
    name: &'static str,
    email: &'static str,
    password: &'static str,
    role: &'static str,
    home: usize,
    rights: &'static [(usize, &'static [&'static str])],
}

const POSTS: [Post; 6] = [
    Post {
        name: "Dr Amélie Ouédraogo",
        email: "doctor@clinic.example",
        password: "demo doctor one",
        role: "provider",
        home: 0,
        rights: &[
            (0, &[REGISTER, VIEW, EDIT, DELETE, EDIT_OTHERS, REPORTS, PRESCRIBE]),
            (1, &[VIEW]),
        ],
    },
    Post {
        name: "Selam Tesfaye",
        email: "nurse@clinic.example",
        password: "demo nurse two",
        role: "provider",
        home: 0,
        rights: &[(0, &[REGISTER, VIEW, EDIT])],
    },
    Post {
        name: "Олена Коваленко",
        email: "pharmacist@clinic.example",
        password: "demo pharmacist 3",
        role: "provider",
        home: 0,
        rights: &[(0, &[VIEW, EDIT, DISPENSE])],
    },
    Post {
        name: "Rita Gurung",
        email: "admin@clinic.example",
        password: "demo admin four",
        role: "admin",
        home: 0,
        rights: &[(0, &RIGHTS), (1, &RIGHTS)],
    },
    Post {
        name: "د. عمر حداد",
        email: "doctor.two@clinic.example",
        password: "demo doctor five",
        role: "provider",
        home: 1,
        rights: &[(1, &[REGISTER, VIEW, EDIT, DELETE, EDIT_OTHERS, PRESCRIBE, DISPENSE])],
    },
    Post {
        name: "Lee Viewer",
        email: "viewer@clinic.example",
        password: "demo viewer ñ ✓",
        role: "registrar",
        home: 0,
        rights: &[(0, &[VIEW])],
    },
];

/// Ids that later rows point to.
pub(super) struct Staff {
    pub(super) clinics: [String; 2],
    pub(super) departments: Vec<(String, &'static str)>,
    pub(super) users: Vec<DemoUser>,
}

pub(super) fn build(build: &mut Build, at: i64) -> Staff {
    let clinics = [("Centre de santé Sainte-Élise", "Banjul"), ("مستوصف النور", "Bakau")].map(|(name, city)| {
        build.add(
            "clinics",
            at,
            &[
                ("name", name.into()),
                ("is_archived", false.into()),
                ("attributes", json!(["primary-care", "pharmacy"]).into()),
                ("address", "Route de la Gare 1".into()),
                ("country", "Gambia".into()),
                ("city", city.into()),
            ],
        )
    });
    let departments = clinics
        .iter()
        .flat_map(|clinic| departments(build, clinic, at))
        .collect();
    let users = POSTS.iter().map(|post| user(build, post, &clinics, at)).collect();
    // Null is for all clinics, as the cloud has it; a list is for those in it.
    for (key, value, kind, clinic_ids) in [
        ("organization_name", "Demo Health", "string", Source::Null),
        ("primary_clinic", &clinics[0], "string", json!(clinics).into()),
    ] {
        build.add(
            "app_config",
            at,
            &[
                ("namespace", "organization".into()),
                ("key", key.into()),
                ("value", value.into()),
                ("data_type", kind.into()),
                ("clinic_ids", clinic_ids),
                ("display_name", key.replace('_', " ").into()),
            ],
        );
    }
    Staff {
        clinics,
        departments,
        users,
    }
}

fn departments(build: &mut Build, clinic: &str, at: i64) -> Vec<(String, &'static str)> {
    let kinds = [
        ("Triage", "TR"),
        ("Consultation", "CO"),
        ("Laboratory", "LA"),
        ("Pharmacy", "PH"),
    ];
    kinds
        .map(|(name, code)| {
            let id = build.add(
                "clinic_departments",
                at,
                &[
                    ("clinic_id", clinic.into()),
                    ("name", name.into()),
                    ("code", code.into()),
                    ("status", "active".into()),
                    ("can_dispense_medications", (code == "PH").into()),
                    ("can_perform_labs", (code == "LA").into()),
                    ("can_perform_imaging", false.into()),
                ],
            );
            (id, name)
        })
        .into()
}

fn user(build: &mut Build, post: &Post, clinics: &[String; 2], at: i64) -> DemoUser {
    let salt = build.random.salt();
    let hash = bcrypt::hash_with_salt(post.password, COST, salt).expect("the cost is within bcrypt's range");
    let id = build.add(
        "users",
        at,
        &[
            ("clinic_id", (&clinics[post.home]).into()),
            ("name", post.name.into()),
            ("role", post.role.into()),
            ("email", post.email.into()),
            ("hashed_password", hash.format_for_version(bcrypt::Version::TwoB).into()),
        ],
    );
    for (clinic, rights) in post.rights {
        let mut values: Vec<(&str, Source)> =
            vec![("user_id", (&id).into()), ("clinic_id", (&clinics[*clinic]).into())];
        values.extend(RIGHTS.iter().map(|right| (*right, rights.contains(right).into())));
        build.add("user_clinic_permissions", at, &values);
    }
    DemoUser {
        id,
        name: post.name.to_owned(),
        email: post.email.to_owned(),
        password: post.password.to_owned(),
        role: post.role.to_owned(),
        clinic_id: clinics[post.home].clone(),
        rights: post
            .rights
            .iter()
            .map(|(clinic, rights)| (clinics[*clinic].clone(), rights.to_vec()))
            .collect(),
    }
}
