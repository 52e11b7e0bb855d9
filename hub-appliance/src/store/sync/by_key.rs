//! Merging JSON by keys: an object by its keys, a list by the ids of the objects in it (protocol, "Merging").
//!
//! Pure: the versions that a value went through and the one that was sent go in, one value comes out. What stands under a
//! key is passed on as it was written.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;

/// The fields that may be the id of an object in a list, in the order in which they are tried.
const IDS: [&str; 2] = ["fieldId", "id"];

/// More text than this is not taken apart, bytes: the one writer has others to serve.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// One version of a value, and when the edit that replaced it was made, epoch ms.
pub(super) type Version<'a> = (&'a str, i64);

/// What came of it.
#[derive(Debug, PartialEq)]
pub(super) struct MergedKeys {
    /// The value to store, where it is another than the stored one.
    pub(super) take: Option<String>,
    /// The value that comes out means the same as the one that was sent.
    pub(super) as_sent: bool,
}

/// Merges what was sent at `sent_at` into `stored`. `versions` are those before it, oldest first: the first is the one
/// that the sender had seen.
///
/// A key that only one side changed has that side's value; one that both did goes to the later edit, a tie to the stored
/// one. None where a value has no keys, where keys differ in kind, or where it is too much.
pub(super) fn merge_keys(versions: &[Version<'_>], stored: &str, sent: &str, sent_at: i64) -> Option<MergedKeys> {
    let texts: Vec<&str> = versions.iter().map(|(text, _)| *text).chain([stored, sent]).collect();
    if texts.iter().map(|text| text.len()).sum::<usize>() > MAX_BYTES {
        return None;
    }
    let parsed = read_all(&texts)?;
    let [chain @ .., ours] = parsed.as_slice() else {
        return None;
    };
    let (base, theirs) = (chain.first()?, chain.last()?);
    let mut merged = Keyed {
        list: theirs.list,
        entries: BTreeMap::new(),
        order: Vec::new(),
    };
    let keys = base.order.iter().chain(&theirs.order).chain(&ours.order);
    for key in keys.collect::<BTreeSet<_>>() {
        let [before, stands, wished] = [base, theirs, ours].map(|version| version.entries.get(key).copied());
        let take_sent = if same(stands, wished) || same(before, wished) {
            false
        } else if same(before, stands) {
            true
        } else {
            sent_at > last_set(chain, versions, key)
        };
        if let Some(value) = if take_sent { wished } else { stands } {
            merged.entries.insert(key.clone(), value);
        }
    }
    let alike = |other: &Keyed<'_>| {
        other.entries.len() == merged.entries.len()
            && other
                .entries
                .iter()
                .all(|(key, value)| same(Some(value), merged.entries.get(key).copied()))
    };
    let (as_stored, as_sent) = (alike(theirs), alike(ours));
    if as_stored {
        return Some(MergedKeys { take: None, as_sent });
    }
    merged.order = order(base, theirs, ours);
    Some(MergedKeys {
        take: Some(if as_sent { sent.to_owned() } else { merged.write() }),
        as_sent,
    })
}

/// When the edit was made that last gave `key` another value.
fn last_set(chain: &[Keyed<'_>], versions: &[Version<'_>], key: &Key<'_>) -> i64 {
    let value = |version: &Keyed<'_>| version.entries.get(key).map(|value| value.get().to_owned());
    let steps = chain.windows(2).zip(versions);
    let mut sets = steps.filter(|(pair, _)| value(&pair[0]) != value(&pair[1]));
    sets.next_back().map_or(i64::MIN, |(_, (_, at))| *at)
}

/// Whether two texts are the same JSON.
pub(super) fn same_json(one: &str, other: &str) -> bool {
    let read = |text| serde_json::from_str::<serde_json::Value>(text).ok();
    one == other || read(one).is_some_and(|one| Some(one) == read(other))
}

fn same(one: Option<&RawValue>, other: Option<&RawValue>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => same_json(one.get(), other.get()),
        (None, None) => true,
        _ => false,
    }
}

/// A key of an object, or the id of an object in a list as it is written.
type Key<'a> = Cow<'a, str>;

struct Keyed<'a> {
    list: bool,
    entries: BTreeMap<Key<'a>, &'a RawValue>,
    order: Vec<Key<'a>>,
}

/// Reads all versions in the one way that fits them all; what is empty fits every way.
fn read_all<'a>(texts: &[&'a str]) -> Option<Vec<Keyed<'a>>> {
    let ways = IDS.map(Some).into_iter().chain([None]);
    let mut read = ways.map(|id| texts.iter().map(|text| read(text, id)).collect::<Option<Vec<_>>>());
    read.find_map(|versions| versions)
}

/// Reads a list of objects with this id, or an object.
fn read<'a>(text: &'a str, id: Option<&str>) -> Option<Keyed<'a>> {
    let mut keyed = Keyed {
        list: id.is_some(),
        entries: BTreeMap::new(),
        order: Vec::new(),
    };
    if matches!(text.trim(), "" | "null" | "{}" | "[]") {
        return Some(keyed);
    }
    let pairs: Vec<(Key<'a>, &'a RawValue)> = match id {
        None => serde_json::from_str::<BTreeMap<Key<'a>, &'a RawValue>>(text)
            .ok()?
            .into_iter()
            .collect(),
        Some(id) => {
            let items: Vec<&'a RawValue> = serde_json::from_str(text).ok()?;
            let named = items.into_iter().map(|item| {
                let fields: BTreeMap<Cow<'a, str>, &'a RawValue> = serde_json::from_str(item.get()).ok()?;
                let id = fields.get(id)?.get();
                let usable = id.len() > 2 && id.starts_with('"') || id.parse::<f64>().is_ok();
                usable.then_some((Cow::Borrowed(id), item))
            });
            named.collect::<Option<_>>()?
        }
    };
    for (key, value) in pairs {
        keyed.order.push(key.clone());
        if keyed.entries.insert(key, value).is_some() {
            return None;
        }
    }
    Some(keyed)
}

impl Keyed<'_> {
    fn write(&self) -> String {
        let values = self
            .order
            .iter()
            .filter_map(|key| Some((key, self.entries.get(key)?.get())));
        let written: Vec<String> = values
            .map(|(key, value)| {
                if self.list {
                    value.to_owned()
                } else {
                    format!("{}:{value}", serde_json::Value::from(&**key))
                }
            })
            .collect();
        let (open, close) = if self.list { ('[', ']') } else { ('{', '}') };
        format!("{open}{}{close}", written.join(","))
    }
}

/// The order of the keys: what the sender had seen stands as before, or as whoever moved it has it, and what was added
/// behind what it was added to, in the order of the ids. So it does not matter who came first.
fn order<'a>(base: &Keyed<'a>, theirs: &Keyed<'a>, ours: &Keyed<'a>) -> Vec<Key<'a>> {
    let known = |version: &Keyed<'a>, in_order_of: &Keyed<'a>| -> Vec<Key<'a>> {
        let known = in_order_of.order.iter();
        let known = known.filter(|key| version.entries.contains_key(*key) && base.entries.contains_key(*key));
        known.cloned().collect()
    };
    let mover = [theirs, ours]
        .into_iter()
        .find(|side| known(side, side) != known(side, base));
    let mut order = mover.map_or_else(Vec::new, |side| known(side, side));
    let moved: BTreeSet<_> = order.iter().cloned().collect();
    order.extend(base.order.iter().filter(|key| !moved.contains(*key)).cloned());
    let mut behind_what: BTreeMap<Key<'a>, Option<Key<'a>>> = BTreeMap::new();
    for side in [theirs, ours] {
        let mut behind = None;
        for key in &side.order {
            if base.entries.contains_key(key) {
                behind = Some(key.clone());
            } else {
                let place = behind_what.entry(key.clone()).or_insert_with(|| behind.clone());
                *place = behind.clone().min(place.take());
            }
        }
    }
    let mut added: BTreeMap<Option<Key<'a>>, Vec<Key<'a>>> = BTreeMap::new();
    for (key, behind) in behind_what {
        added.entry(behind).or_default().push(key);
    }
    let mut all = added.remove(&None).unwrap_or_default();
    for key in order {
        let behind = added.remove(&Some(key.clone()));
        all.push(key);
        all.extend(behind.into_iter().flatten());
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;

    /// What is to be stored, where it is something else.
    fn take(versions: &[Version<'_>], stored: &str, sent: &str, sent_at: i64) -> Option<Value> {
        let merged = merge_keys(versions, stored, sent, sent_at).unwrap();
        merged.take.map(|json| serde_json::from_str(&json).unwrap())
    }

    #[test]
    fn a_forms_fields_are_merged_by_their_ids() {
        let field = |id: &str, value: &str| json!({"fieldId": id, "value": value});
        let base = json!([field("f1", "0"), field("f2", "0"), field("f3", "0")]).to_string();
        let stored = json!([field("f1", "A"), field("f2", "0"), field("f3", "A"), field("x", "A")]).to_string();
        let sent = json!([field("f2", "B"), field("f3", "B"), field("f1", "0"), field("n", "B")]).to_string();
        for (sent_at, f3) in [(6, "B"), (5, "A"), (4, "A")] {
            let fields = [("f2", "B"), ("f3", f3), ("x", "A"), ("f1", "A"), ("n", "B")];
            let expected: Vec<_> = fields.iter().map(|(id, value)| field(id, value)).collect();
            assert_eq!(take(&[(&base, 5)], &stored, &sent, sent_at), Some(expected.into()));
        }
    }

    #[test]
    fn a_key_that_one_side_removes_is_gone_unless_the_other_edits_it_later() {
        let versions = [(r#"{"a":1,"b":1}"#, 5)];
        let gone = take(&versions, r#"{"a":1,"b":1,"c":1}"#, r#"{"b":1}"#, 3);
        assert_eq!(gone, Some(json!({"b": 1, "c": 1})));
        assert_eq!(take(&versions, r#"{"a":2,"b":1}"#, r#"{"b":1}"#, 3), None);
        let back = take(&versions, r#"{"b":1}"#, r#"{"a":2,"b":1}"#, 9);
        assert_eq!(back, Some(json!({"a": 2, "b": 1})));
    }

    #[test]
    fn the_time_that_counts_is_that_of_the_write_that_last_set_the_key() {
        // `a` was set at 10, the other key at 50.
        let versions = [(r#"{"a":0}"#, 10), (r#"{"a":1}"#, 50)];
        let stored = r#"{"a":1,"b":1}"#;
        let later = take(&versions, stored, r#"{"a":2}"#, 20);
        assert_eq!(later, Some(json!({"a": 2, "b": 1})));
        assert_eq!(take(&versions, stored, r#"{"a":2}"#, 10), None);
    }

    #[test]
    fn values_stay_as_they_are_written_and_what_has_no_keys_is_left_whole() {
        let merged = merge_keys(&[("{}", 1)], r#"{"n":1.50}"#, r#"{"m":12345678901234567890123}"#, 2).unwrap();
        assert_eq!(
            merged.take.as_deref(),
            Some(r#"{"m":12345678901234567890123,"n":1.50}"#)
        );
        for (stored, sent) in [
            ("[1]", "[2]"),
            (r#""{}""#, r#"{"a":1}"#),
            (r#"[{"id":1},{"id":1}]"#, "[]"),
            (r#"[{"id":1}]"#, r#"{"a":1}"#),
            ("half a {", "{}"),
            (r#"[{"id":null}]"#, r#"[{"id":1}]"#),
        ] {
            assert_eq!(merge_keys(&[("", 1)], stored, sent, 2), None, "{stored} {sent}");
        }
    }

    type Object = std::collections::BTreeMap<u8, u8>;

    fn object() -> impl Strategy<Value = Object> {
        proptest::collection::btree_map(0_u8..6, 0_u8..3, 0..6)
    }

    fn text(object: &Object, as_list: bool) -> String {
        if as_list {
            let items = object
                .iter()
                .map(|(id, value)| json!({"id": format!("i{id}"), "v": value}));
            Value::Array(items.collect()).to_string()
        } else {
            let entries: Map<_, _> = object
                .iter()
                .map(|(key, value)| (key.to_string(), json!(value)))
                .collect();
            Value::Object(entries).to_string()
        }
    }

    /// `sent` on top of `stored`, both made from `base`.
    fn merged(base: &str, (stored, stored_at): (&str, i64), (sent, sent_at): (&str, i64)) -> String {
        let merged = merge_keys(&[(base, stored_at)], stored, sent, sent_at).unwrap();
        merged.take.unwrap_or_else(|| stored.to_owned())
    }

    proptest! {
        #[test]
        fn who_comes_first_does_not_matter(base in object(), one in object(), other in object(), as_list: bool) {
            let [base, one, other] = [base, one, other].map(|object| text(&object, as_list));
            let (first, second) = ((one.as_str(), 7), (other.as_str(), 8));
            let there = merged(&base, first, second);
            let back = merged(&base, second, first);
            prop_assert!(same_json(&there, &back), "{} {}", there, back);
        }

        #[test]
        fn no_value_is_lost_and_merging_again_changes_nothing(
            base in object(), stored in object(), sent in object(), sent_at in 5_i64..8, as_list: bool
        ) {
            let texts = [&base, &stored, &sent].map(|object| text(object, as_list));
            let merge = |stored: &str, versions: &[Version<'_>]| merge_keys(versions, stored, &texts[2], sent_at).unwrap();
            let first = merge(&texts[1], &[(&texts[0], 6)]);
            let result = first.take.clone().unwrap_or_else(|| texts[1].clone());
            prop_assert_eq!(first.as_sent, same_json(&result, &texts[2]));
            if first.as_sent || sent_at > 6 {
                for (key, value) in &sent {
                    let wished = base.get(key) != Some(value);
                    let kept = text(&std::iter::once((*key, *value)).collect(), as_list);
                    let kept = kept.trim_matches(['[', ']', '{', '}']);
                    prop_assert!(!wished || result.contains(kept), "{} in {}", kept, result);
                }
            }
            let again = merge(&result, &[(&texts[0], 6), (&texts[1], sent_at)]);
            prop_assert_eq!(again.take, None);
        }
    }
}
