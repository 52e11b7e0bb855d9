//! Drugs and stock.

use serde_json::json;

use super::names::DRUGS;
use super::source::{Build, Source};

/// A batch of a drug on a clinic's shelf.
pub(super) struct Stock {
    pub(super) clinic: usize,
    pub(super) drug_id: String,
    pub(super) batch_id: String,
}

pub(super) fn build(build: &mut Build, clinics: &[String; 2], at: i64) -> Vec<Stock> {
    let mut stock = Vec::new();
    for (number, drug) in DRUGS.iter().enumerate() {
        let price = build.random.between(5, 4_000);
        #[expect(clippy::cast_precision_loss, reason = "a price in cents is small")]
        let price = price as f64 / 100.0;
        let drug_id = build.add(
            "drug_catalogue",
            at,
            &[
                ("barcode", format!("62910{number:08}").into()),
                ("generic_name", drug.generic_name.into()),
                ("brand_name", drug.brand_name.into()),
                ("form", drug.form.into()),
                ("route", drug.route.into()),
                ("dosage_quantity", drug.dosage.0.into()),
                ("dosage_units", drug.dosage.1.into()),
                ("manufacturer", "Made-up Pharma".into()),
                ("sale_price", price.into()),
                ("sale_currency", "USD".into()),
                ("min_stock_level", 10.into()),
                ("max_stock_level", 5_000.into()),
                ("is_controlled", drug.is_controlled.into()),
                ("requires_refrigeration", drug.requires_refrigeration.into()),
                ("is_active", true.into()),
            ],
        );
        for (clinic, clinic_id) in clinics.iter().enumerate() {
            for batch in 0..build.random.between(1, 2) {
                let batch_id = build.random.id(at);
                let days = at / 86_400_000 + build.random.between(400, 1_500);
                #[expect(clippy::cast_precision_loss, reason = "a stock of thousands is small")]
                let available = build.random.between(200, 4_000) as f64;
                build.add(
                    "clinic_inventory",
                    at,
                    &[
                        ("clinic_id", clinic_id.into()),
                        ("drug_id", (&drug_id).into()),
                        ("batch_id", (&batch_id).into()),
                        ("quantity_available", available.into()),
                        ("reserved_quantity", 0.into()),
                        ("last_counted_at", Source::Time(at)),
                        ("metadata", json!({"shelf": format!("{}{batch}", number % 7)}).into()),
                        ("batch_number", format!("BN-{number:03}-{batch}").into()),
                        ("batch_expiry_date", Source::Date(days)),
                    ],
                );
                stock.push(Stock {
                    clinic,
                    drug_id: drug_id.clone(),
                    batch_id,
                });
            }
        }
    }
    stock
}
