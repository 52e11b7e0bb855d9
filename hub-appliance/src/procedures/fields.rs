//! The parameters of a single call, as phones really send them: times as ISO 8601, numbers or numeric text; JSON as
//! values or as text; booleans as truths or numbers; `""` and null where there is nothing; fields that nobody knows.
//!
//! What is there and of another kind is [`ProcedureError::BadParameters`].

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::ProcedureError;
use crate::bounded::{FewFields, FewValues};
use crate::lossy::Lossy;
use crate::store::reads::Page;
use crate::store::schema::{ColumnType, Table};
use crate::store::sync::sent::{SentRow, is_too_long, read_row};
use crate::store::value::{Source, read_time};

/// Rows of a page where nobody says how many.
const DEFAULT_LIMIT: u32 = 20;
/// Rows of a page at most: the app asks for ever longer lists from the start on.
const MAX_LIMIT: u32 = 5_000;

/// Fields of an object at most: more than any table has, with those of newer apps, or any clinic's form.
const MAX_FIELDS: usize = 512;
/// Values of a list at most: a patient's attributes are the longest.
const MAX_VALUES: usize = 1_000;

/// An object's fields.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Fields<'a> {
    /// Reads an object.
    pub(super) fn parse(json: &'a str) -> Result<Self, ProcedureError> {
        let FewFields::<'a, MAX_FIELDS>(fields) =
            serde_json::from_str(json).map_err(|_| ProcedureError::BadParameters)?;
        let fields = fields.into_iter().map(|(Lossy(name), raw)| (name.into_owned(), raw));
        Ok(Self(fields.collect()))
    }

    /// What a field holds; nothing where it is missing or null.
    fn raw(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).map(|raw| raw.get()).filter(|json| *json != "null")
    }

    /// Text; none where it is missing, null or empty.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, ProcedureError> {
        let Some(json) = self.raw(name) else { return Ok(None) };
        let Lossy(text) = serde_json::from_str(json).map_err(|_| ProcedureError::BadParameters)?;
        Ok(Some(text.into_owned()).filter(|text| !text.is_empty()))
    }

    /// Text that has to be there.
    pub(super) fn required(&self, name: &str) -> Result<String, ProcedureError> {
        self.text(name)?.ok_or(ProcedureError::BadParameters)
    }

    /// A time in epoch ms.
    pub(super) fn time(&self, name: &str) -> Result<Option<i64>, ProcedureError> {
        let time = self.raw(name).filter(|json| *json != "\"\"").map(read_time);
        time.transpose().map_err(|_| ProcedureError::BadParameters)
    }

    /// A number, also as text.
    pub(super) fn number(&self, name: &str) -> Result<Option<f64>, ProcedureError> {
        let Some(json) = self.raw(name).filter(|json| *json != "\"\"") else {
            return Ok(None);
        };
        let number = json
            .trim_matches('"')
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite());
        number.map(Some).ok_or(ProcedureError::BadParameters)
    }

    /// true or false, also as 1 or 0.
    pub(super) fn truth(&self, name: &str) -> Result<Option<bool>, ProcedureError> {
        match self.raw(name) {
            None | Some("\"\"") => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(ProcedureError::BadParameters),
        }
    }

    /// A list of texts, or one text.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, ProcedureError> {
        if self.raw(name).is_some_and(|json| json.starts_with('"')) {
            return Ok(self.text(name)?.into_iter().collect());
        }
        let Some(json) = self.raw(name) else {
            return Ok(Vec::new());
        };
        let FewValues::<Lossy<'_>, MAX_VALUES>(texts) =
            serde_json::from_str(json).map_err(|_| ProcedureError::BadParameters)?;
        Ok(texts.into_iter().map(|Lossy(text)| text.into_owned()).collect())
    }

    /// An object's fields, in an order of their own; none where it is missing or null.
    pub(super) fn object(&self, name: &str) -> Result<Self, ProcedureError> {
        self.raw(name)
            .map(Self::parse)
            .transpose()
            .map(Option::unwrap_or_default)
    }

    /// A list of objects.
    pub(super) fn objects(&self, name: &str) -> Result<Vec<Self>, ProcedureError> {
        let Some(json) = self.raw(name) else {
            return Ok(Vec::new());
        };
        let FewValues::<&RawValue, MAX_VALUES>(list) =
            serde_json::from_str(json).map_err(|_| ProcedureError::BadParameters)?;
        list.into_iter().map(|object| Self::parse(object.get())).collect()
    }

    /// Every field that holds text.
    pub(super) fn all_texts(&self) -> Result<Vec<(String, String)>, ProcedureError> {
        let names = self.0.keys();
        let texts = names.map(|name| Ok(self.text(name)?.map(|text| (name.clone(), text))));
        Ok(texts
            .collect::<Result<Vec<_>, ProcedureError>>()?
            .into_iter()
            .flatten()
            .collect())
    }

    /// Every field and the number that it holds.
    pub(super) fn all_numbers(&self) -> Result<Vec<(&str, f64)>, ProcedureError> {
        let number = |name: &'_ String| self.number(name)?.ok_or(ProcedureError::BadParameters);
        self.0.keys().map(|name| Ok((name.as_str(), number(name)?))).collect()
    }

    /// The stretch of a list that is asked for.
    pub(super) fn page(&self) -> Result<Page, ProcedureError> {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let whole = |number: f64| number as u32;
        Ok(Page {
            limit: self.number("limit")?.map_or(DEFAULT_LIMIT, whole).clamp(1, MAX_LIMIT),
            offset: self.number("offset")?.map_or(0, whole),
        })
    }

    /// Whether there is no field.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Only the named fields.
    pub(super) fn only(&self, names: &[&str]) -> Self {
        let fields = self.0.iter().filter(|(name, _)| names.contains(&name.as_str()));
        Self(fields.map(|(name, raw)| (name.clone(), *raw)).collect())
    }

    /// Without the named fields.
    pub(super) fn without(&self, names: &[&str]) -> Self {
        let fields = self.0.iter().filter(|(name, _)| !names.contains(&name.as_str()));
        Self(fields.map(|(name, raw)| (name.clone(), *raw)).collect())
    }

    /// Without fields that hold `""`, `{}`, or these as text: the app sends those for what it has nothing of.
    pub(super) fn without_empty(&self) -> Self {
        let is_empty = |raw: &&RawValue| matches!(raw.get(), "\"\"" | "{}" | "\"{}\"");
        let fields = self.0.iter().filter(|(_, raw)| !is_empty(raw));
        Self(fields.map(|(name, raw)| (name.clone(), *raw)).collect())
    }

    /// The fields as a row of a table with this id. Nothing at all (`""`) in a column that holds no text is null.
    pub(super) fn row(&self, table: &'static Table, id: &str) -> Result<SentRow, ProcedureError> {
        let mut json = format!("{{\"id\":{}", serde_json::Value::from(id));
        for (name, raw) in self
            .0
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "id" | "_status" | "_changed"))
        {
            let column = table.column(name).map(|index| table.columns[index].kind);
            let holds_text = column.is_none_or(|kind| kind.is_json() || kind == ColumnType::Text);
            let value = if raw.get() == "\"\"" && !holds_text {
                "null"
            } else {
                raw.get()
            };
            json += &format!(",{}:{value}", serde_json::Value::from(name.as_str()));
        }
        json.push('}');
        match read_row(table, &json, Source::Phone) {
            Ok((row, None)) if is_too_long(table, &row, json.len()) => Err(ProcedureError::TooLarge),
            Ok((row, None)) => Ok(row),
            _ => Err(ProcedureError::BadParameters),
        }
    }

    /// The fields in a form in which equal ones are equal.
    pub(super) fn canonical(&self) -> String {
        let values = self.0.iter().map(|(name, raw)| {
            let value = serde_json::from_str(raw.get());
            (
                name.clone(),
                value.unwrap_or_else(|_| serde_json::Value::from(raw.get())),
            )
        });
        serde_json::Value::Object(values.collect()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema::TableId;

    fn fields(json: &str) -> Fields<'_> {
        Fields::parse(json).unwrap()
    }

    #[test]
    fn what_is_missing_null_or_empty_is_nothing() {
        for json in ["{}", "{\"a\":null}", "{\"a\":\"\"}"] {
            let fields = fields(json);
            assert_eq!(fields.text("a"), Ok(None), "{json}");
            assert_eq!(fields.time("a"), Ok(None), "{json}");
            assert_eq!(fields.number("a"), Ok(None), "{json}");
            assert_eq!(fields.truth("a"), Ok(None), "{json}");
            assert_eq!(fields.texts("a"), Ok(vec![]), "{json}");
            assert_eq!(fields.required("a"), Err(ProcedureError::BadParameters), "{json}");
        }
    }

    #[test]
    fn values_are_read_as_phones_write_them() {
        let fields = fields(
            "{\"iso\":\"2025-10-09T08:53:20.000Z\",\"text\":\"1760000000000\",\"ms\":1760000000000,\"one\":\"x\",\
             \"many\":[\"x\",\"y\"],\"truth\":1,\"limit\":\"50\",\"offset\":7}",
        );
        for name in ["iso", "text", "ms"] {
            assert_eq!(fields.time(name), Ok(Some(1_760_000_000_000)), "{name}");
        }
        assert_eq!(fields.texts("one"), Ok(vec!["x".to_owned()]));
        assert_eq!(fields.texts("many"), Ok(vec!["x".to_owned(), "y".to_owned()]));
        assert_eq!(fields.truth("truth"), Ok(Some(true)));
        let page = fields.page().unwrap();
        assert_eq!((page.limit, page.offset), (50, 7));
    }

    #[test]
    fn pages_are_neither_empty_nor_endless() {
        for (limit, taken) in [
            ("0", 1),
            ("-1", 1),
            ("1", 1),
            ("5000", 5000),
            ("5001", 5000),
            ("1e12", 5000),
            ("null", 20),
        ] {
            assert_eq!(
                fields(&format!("{{\"limit\":{limit}}}")).page().unwrap().limit,
                taken,
                "{limit}"
            );
        }
    }

    #[test]
    fn half_an_emoji_is_one_wherever_text_is_read() {
        let fields = fields(r#"{"one":"x\ud83d","many":["\ude00 y","z"],"object":{"k\ud83d":"\ud83d"}}"#);
        assert_eq!(fields.text("one"), Ok(Some("x\u{fffd}".to_owned())));
        assert_eq!(fields.texts("one"), Ok(vec!["x\u{fffd}".to_owned()]));
        assert_eq!(fields.texts("many"), Ok(vec!["\u{fffd} y".to_owned(), "z".to_owned()]));
        let object = fields.object("object").unwrap();
        assert_eq!(
            object.all_texts(),
            Ok(vec![("k\u{fffd}".to_owned(), "\u{fffd}".to_owned())])
        );
    }

    #[test]
    fn another_kind_of_value_does_not_fit() {
        let fields = fields("{\"number\":5,\"object\":{},\"list\":[1],\"truth\":\"yes\"}");
        assert!(fields.text("number").is_err());
        assert!(fields.text("object").is_err());
        assert!(fields.time("object").is_err());
        assert!(fields.number("object").is_err());
        assert!(fields.texts("list").is_err());
        assert!(fields.truth("truth").is_err());
        assert!(fields.objects("object").is_err());
        assert!(Fields::parse("[]").is_err());
    }

    #[test]
    fn a_row_takes_nothing_for_null_where_no_text_can_be() {
        let vitals = TableId::named("patient_vitals").unwrap().table();
        let row = fields("{\"weight_kg\":\"\",\"bp_position\":\"\",\"timestamp\":\"\",\"nonsense\":{\"a\":1}}")
            .row(vitals, "v1")
            .unwrap();
        let cell = |name| row.cells[vitals.column(name).unwrap()].clone();
        assert!(cell("weight_kg").is_some_and(|cell| cell.is_blank() && cell.as_text().is_none()));
        assert_eq!(cell("bp_position").unwrap().as_text(), Some(""));
        assert!(fields("{\"weight_kg\":\"heavy\"}").row(vitals, "v1").is_err());
    }

    #[test]
    fn equal_fields_are_equal_however_they_are_written() {
        assert_eq!(
            fields("{\"a\":{\"x\":1,\"y\":2}, \"b\":null}").canonical(),
            fields("{\"b\": null,\"a\":{\"y\":2,\"x\":1}}").canonical()
        );
        assert_ne!(fields("{\"a\":1}").canonical(), fields("{\"a\":2}").canonical());
    }
}
