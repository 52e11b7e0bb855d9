//! Names of people and places as they stand in real registers: several scripts, diacritics, apostrophes, one-letter
//! and one-character names.

/// Given names and surnames that go together.
pub(super) struct NameList {
    pub(super) female: &'static [&'static str],
    pub(super) male: &'static [&'static str],
    pub(super) surnames: &'static [&'static str],
    pub(super) citizenship: &'static str,
    pub(super) hometowns: &'static [&'static str],
    pub(super) complaints: &'static [&'static str],
}

/// One list a script or language.
pub(super) const NAMES: &[NameList] = &[
    NameList {
        female: &["Zoë", "Łucja", "Aïssatou", "Marisól", "Thị Hồng", "Şengül", "Grażyna"],
        male: &["François", "Søren", "João", "Jürgen", "Văn Đức", "Ömer", "Ibrahima"],
        surnames: &[
            "N'Diaye",
            "O’Brien",
            "Nguyễn",
            "Çelik",
            "Müller-Lüdenscheidt",
            "Őry",
            "da Conceição",
            "Wójcik",
        ],
        citizenship: "Sénégal",
        hometowns: &["Thiès", "Ziguinchor", "Saint-Louis"],
        complaints: &[
            "Fièvre depuis trois jours",
            "Douleur à l'épaule gauche",
            "Toux sèche, « pire la nuit »",
        ],
    },
    NameList {
        female: &["فاطمة", "زينب", "مريم", "نور الهدى", "عائشة"],
        male: &["محمد", "عمر", "يوسف", "عبد الرحمن", "خالد"],
        surnames: &["الخطيب", "حداد", "العلي", "أبو شقرا", "المصري"],
        citizenship: "سوريا",
        hometowns: &["حلب", "دير الزور", "درعا"],
        complaints: &["صداع منذ يومين", "ألم في البطن", "سعال وحرارة ٣٩"],
    },
    NameList {
        female: &["Олена", "Ганна", "Марія", "Зоя"],
        male: &["Дмитро", "Сергій", "Олексій", "Їжак"],
        surnames: &["Шевченко", "Коваленко", "Щербак", "Об'єдков"],
        citizenship: "Україна",
        hometowns: &["Харків", "Маріуполь", "Запоріжжя"],
        complaints: &["Біль у спині", "Підвищений тиск", "Безсоння"],
    },
    NameList {
        female: &["ብርቱካን", "ሰላም", "ትዕግሥት", "ወርቅነሽ"],
        male: &["አበበ", "ተስፋዬ", "ኃይለ ሥላሴ", "ዳዊት"],
        surnames: &["ገብረመድኅን", "በቀለ", "መንግሥቱ", "ወልደ ጊዮርጊስ"],
        citizenship: "ኢትዮጵያ",
        hometowns: &["መቐለ", "ጎንደር", "አዲስ አበባ"],
        complaints: &["ራስ ምታት", "የሆድ ሕመም", "ሳል"],
    },
    NameList {
        female: &["秀英", "丽", "婷婷", "𠮷美"],
        male: &["伟", "建国", "浩然", "磊"],
        surnames: &["王", "李", "欧阳", "张"],
        citizenship: "中国",
        hometowns: &["昆明", "拉萨", "喀什"],
        complaints: &["头痛两天", "咳嗽发烧", "腰疼"],
    },
    NameList {
        female: &["सीता", "लक्ष्मी", "सरस्वती", "श्रेया"],
        male: &["राम", "कृष्ण", "अर्जुन", "ज्ञानेन्द्र"],
        surnames: &["शर्मा", "गुरुङ", "तामाङ", "श्रेष्ठ"],
        citizenship: "नेपाल",
        hometowns: &["काठमाडौँ", "पोखरा", "जुम्ला"],
        complaints: &["ज्वरो र खोकी", "पेट दुख्यो", "टाउको दुख्यो"],
    },
];

/// A drug as the catalogue has it.
pub(super) struct Drug {
    pub(super) generic_name: &'static str,
    pub(super) brand_name: Option<&'static str>,
    pub(super) form: &'static str,
    pub(super) route: &'static str,
    pub(super) dosage: (f64, &'static str),
    pub(super) is_controlled: bool,
    pub(super) requires_refrigeration: bool,
}

const fn drug(
    generic_name: &'static str,
    form: &'static str,
    route: &'static str,
    dosage: (f64, &'static str),
) -> Drug {
    Drug {
        generic_name,
        brand_name: None,
        form,
        route,
        dosage,
        is_controlled: false,
        requires_refrigeration: false,
    }
}

impl Drug {
    const fn sold_as(self, brand: &'static str) -> Self {
        Self {
            brand_name: Some(brand),
            ..self
        }
    }

    const fn controlled(self) -> Self {
        Self {
            is_controlled: true,
            ..self
        }
    }

    const fn refrigerated(self) -> Self {
        Self {
            requires_refrigeration: true,
            ..self
        }
    }
}

/// The catalogue.
pub(super) const DRUGS: &[Drug] = &[
    drug("Paracetamol", "tablet", "oral", (500.0, "mg")).sold_as("Panadol"),
    drug("Paracetamol", "syrup", "oral", (24.0, "mg/ml")),
    drug("Amoxicillin", "capsule", "oral", (500.0, "mg")).sold_as("Amoxil"),
    drug("Amoxicillin", "powder for suspension", "oral", (25.0, "mg/ml")),
    drug("Ibuprofen", "tablet", "oral", (400.0, "mg")),
    drug("Metformin", "tablet", "oral", (850.0, "mg")).sold_as("Glucophage"),
    drug("Insulin glargine", "solution", "subcutaneous", (100.0, "IU/ml"))
        .sold_as("Lantus")
        .refrigerated(),
    drug("Amlodipine", "tablet", "oral", (5.0, "mg")),
    drug("Enalapril", "tablet", "oral", (10.0, "mg")),
    drug("Hydrochlorothiazide", "tablet", "oral", (12.5, "mg")),
    drug("Salbutamol", "inhaler", "inhalation", (0.1, "mg")).sold_as("Ventolin"),
    drug("Morphine", "solution", "intravenous", (10.0, "mg/ml")).controlled(),
    drug("Diazepam", "tablet", "oral", (5.0, "mg")).controlled(),
    drug("Oral rehydration salts", "sachet", "oral", (20.5, "g")),
    drug("Zinc sulfate", "dispersible tablet", "oral", (20.0, "mg")),
    drug("Ferrous sulfate + folic acid", "tablet", "oral", (60.4, "mg")),
    drug("Artemether/lumefantrine", "tablet", "oral", (20.0, "mg")).sold_as("Coartem"),
    drug("Ceftriaxone", "powder for injection", "intramuscular", (1.0, "g")),
    drug("Oxytocin", "solution", "intramuscular", (10.0, "IU/ml")).refrigerated(),
    drug("Levothyroxine", "tablet", "oral", (0.0125, "mg")),
];

/// ICD-10 codes with their labels.
pub(super) const PROBLEMS: &[(&str, &str)] = &[
    ("I10", "Essential hypertension"),
    ("E11", "Type 2 diabetes mellitus"),
    ("J45", "Asthma"),
    ("D50", "Iron deficiency anaemia"),
    ("A09", "Gastroenteritis, infectious"),
    ("B54", "Malaria, unspecified"),
    ("F43.1", "Post-traumatic stress disorder"),
    ("O80", "Single spontaneous delivery"),
];
