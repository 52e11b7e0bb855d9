//! The lists of a push: which of them a row stands in, and how many rows they have, before any of them takes memory.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::push::UnusablePush;

/// Which list of a push a row stood in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// `created`
    Created,
    /// `updated`
    Updated,
    /// `deleted`
    Deleted,
}

impl List {
    /// Its name in a push.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        }
    }
}

/// The lists of one table, as phones and the cloud send them.
#[derive(Default, Deserialize)]
pub(in crate::store) struct Lists<'a> {
    #[serde(borrow, default)]
    pub(in crate::store) created: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    pub(in crate::store) updated: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    pub(in crate::store) deleted: Option<Vec<&'a RawValue>>,
}

impl<'a> Lists<'a> {
    /// Lists that are missing or null are empty.
    pub(super) fn parse(raw: &'a RawValue) -> Result<Self, UnusablePush> {
        match raw.get() {
            "null" => Ok(Self::default()),
            json if json.starts_with('{') => serde_json::from_str(json).map_err(|_| UnusablePush::Malformed),
            _ => Err(UnusablePush::Malformed),
        }
    }
}

/// How many rows the lists of a table have, counted before any of them takes memory.
pub(super) fn rows_in(lists: &RawValue) -> usize {
    /// Of a list.
    struct Elements(usize);
    impl<'de> Deserialize<'de> for Elements {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Count;
            impl<'de> Visitor<'de> for Count {
                type Value = Elements;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("a list")
                }

                fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Elements, A::Error> {
                    let mut count = 0;
                    while rows.next_element::<IgnoredAny>()?.is_some() {
                        count += 1;
                    }
                    Ok(Elements(count))
                }
            }
            deserializer.deserialize_seq(Count)
        }
    }
    /// Of all lists, whatever they are called.
    struct Rows(usize);
    impl<'de> Deserialize<'de> for Rows {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Sum;
            impl<'de> Visitor<'de> for Sum {
                type Value = Rows;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("lists by name")
                }

                fn visit_map<A: MapAccess<'de>>(self, mut lists: A) -> Result<Rows, A::Error> {
                    let mut sum = 0;
                    while lists.next_key::<IgnoredAny>()?.is_some() {
                        let list: &RawValue = lists.next_value()?;
                        sum += serde_json::from_str(list.get()).map_or(0, |Elements(rows)| rows);
                    }
                    Ok(Rows(sum))
                }
            }
            deserializer.deserialize_map(Sum)
        }
    }
    // What is no map of lists is told apart when it is read.
    serde_json::from_str(lists.get()).map_or(0, |Rows(rows)| rows)
}
