//! Objects and lists of JSON that have an end before they take memory: of tiny entries, what is kept of each is many times
//! what it has in the text.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::lossy::Lossy;

/// An object with at most `N` fields of different names; of two with one name the last counts.
#[derive(Debug)]
pub(crate) struct FewFields<'a, const N: usize>(pub(crate) BTreeMap<Lossy<'a>, &'a RawValue>);

impl<'de: 'a, 'a, const N: usize> Deserialize<'de> for FewFields<'a, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<const N: usize>;
        impl<'de, const N: usize> Visitor<'de> for Fields<N> {
            type Value = FewFields<'de, N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an object of at most {N} fields")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some((name, value)) = map.next_entry()? {
                    fields.insert(name, value);
                    if fields.len() > N {
                        return Err(A::Error::invalid_length(fields.len(), &self));
                    }
                }
                Ok(FewFields(fields))
            }
        }
        deserializer.deserialize_map(Fields::<N>)
    }
}

/// A list of at most `N` values.
#[derive(Debug)]
pub(crate) struct FewValues<T, const N: usize>(pub(crate) Vec<T>);

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for FewValues<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Values<T, const N: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for Values<T, N> {
            type Value = FewValues<T, N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {N} values")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = list.next_element()? {
                    if values.len() == N {
                        return Err(A::Error::invalid_length(N + 1, &self));
                    }
                    values.push(value);
                }
                Ok(FewValues(values))
            }
        }
        deserializer.deserialize_seq(Values::<T, N>(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_so_many_names_and_the_last_value_of_each() {
        let fields: FewFields<'_, 2> = serde_json::from_str(r#"{"a":1,"b":2,"a":3}"#).unwrap();
        let values: Vec<_> = fields.0.iter().map(|(name, raw)| (&*name.0, raw.get())).collect();
        assert_eq!(values, [("a", "3"), ("b", "2")]);
        assert!(serde_json::from_str::<FewFields<'_, 2>>(r#"{"a":1,"b":2,"c":3}"#).is_err());
        assert!(serde_json::from_str::<FewFields<'_, 2>>("[]").is_err());
    }

    #[test]
    fn a_list_has_so_many_values() {
        let values: FewValues<u8, 2> = serde_json::from_str("[1,2]").unwrap();
        assert_eq!(values.0, [1, 2]);
        assert!(serde_json::from_str::<FewValues<u8, 2>>("[1,2,3]").is_err());
        assert!(serde_json::from_str::<FewValues<u8, 2>>("{}").is_err());
    }
}
