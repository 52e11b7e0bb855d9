//! Merging one pushed row with the stored one, column by column (protocol, "Merging").
//!
//! Pure: rows and what the stored one went through go in, a decision comes out.

use super::by_key::{MergedKeys, merge_keys, same_json};
use super::past::{Changes, Past};
use crate::clock::HubTime;
use crate::store::schema::{Column, ColumnSet, Table};
use crate::store::value::Cell;

/// A pushed `updated_at` further ahead of the hub clock than this counts as the hub's now.
const AHEAD_MS: i64 = 5 * 60 * 1000;

/// A row as it was sent: one entry a column, `None` where the column was not sent.
pub(in crate::store) type SentCells = [Option<Cell>];

/// The hub's time, by which the times of edits are judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// The hub clock.
    pub(super) at: HubTime,
    /// It can be trusted. One that can't runs behind after each power-off: then the phones know the time.
    pub(super) is_trusted: bool,
}

impl Now {
    /// A time, or the hub's now where it is too far ahead of it, epoch ms.
    pub(super) fn not_ahead(self, time: i64) -> i64 {
        if self.is_trusted && time > self.at.plus_millis(AHEAD_MS).millis() {
            self.at.millis()
        } else {
            time
        }
    }
}

/// What is to happen to the stored row.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Merged {
    /// Columns that take a new value.
    pub(super) take: Vec<(usize, Cell)>,
    /// Columns whose sent value lost against the stored one, or against a part of it.
    pub(super) lost: Vec<usize>,
    /// The row that comes out means the same as the one that was sent, so its sender need not get it back.
    pub(super) as_sent: bool,
    /// When the edit was made, epoch ms.
    pub(super) edited_at: i64,
}

/// Decides.
///
/// `stored` has one value a column of `table`; `changed` are the columns that the sender says it changed (`None`: all
/// that differ).
#[must_use]
pub(super) fn merge(
    table: &Table,
    stored: &[Cell],
    sent: &SentCells,
    changed: Option<ColumnSet>,
    past: &Past,
    now: Now,
) -> Merged {
    let updated_at = table.column("updated_at");
    let stored_time = updated_at.and_then(|index| stored[index].as_integer()).unwrap_or(0);
    let sent_time = updated_at
        .and_then(|index| sent[index].as_ref()?.as_integer())
        .map(|time| now.not_ahead(time));
    let edit = Edit {
        stored,
        changed,
        past,
        at: sent_time.unwrap_or(0),
    };
    let mut merged = Merged {
        as_sent: true,
        edited_at: sent_time.unwrap_or(stored_time),
        ..Merged::default()
    };
    for (index, sent) in sent.iter().enumerate() {
        let Some(sent) = sent else { continue };
        if Some(index) == updated_at {
            merge_time(&mut merged, index, sent, (&stored[index], stored_time), sent_time, past);
        } else {
            let column = &table.columns[index];
            let empty = (column.required && *sent == Cell::Null).then(|| Cell::empty(column.kind));
            edit.merge_column(&mut merged, index, column, empty.as_ref().unwrap_or(sent));
        }
    }
    merged
}

/// One row's edit.
struct Edit<'a> {
    stored: &'a [Cell],
    changed: Option<ColumnSet>,
    past: &'a Past,
    /// When it was made.
    at: i64,
}

impl Edit<'_> {
    fn merge_column(&self, merged: &mut Merged, index: usize, column: &Column, sent: &Cell) {
        let stored = &self.stored[index];
        let stated = self.changed.is_some_and(|changed| changed.contains(index));
        let means_stored = means(column, sent, stored);
        if sent == stored || (!stated && means_stored) {
            return;
        }
        let changes = match self.past {
            Past::Unchanged => {
                merged.take.push((index, sent.clone()));
                return;
            }
            Past::Changed(changes) => changes,
        };
        if !stated && self.changed.is_some() {
            // The sender has not heard of the stored value yet; its own is kept where nobody else has it.
            if changes.is_unseen {
                merged.lost.push(index);
            }
            merged.as_sent = false;
            return;
        }
        let Some(last_set) = changes.changed_by_others(index) else {
            merged.take.push((index, sent.clone()));
            return;
        };
        if means_stored {
            return;
        }
        if column.kind.is_json()
            && let Some(keys) = self.merge_keys(changes, index, stored, sent)
        {
            merged.as_sent &= keys.as_sent;
            merged.take.extend(keys.take.map(|json| (index, Cell::text(&json))));
            // The whole of it was never stored: so it stays known what this author had entered.
            if !keys.as_sent {
                merged.lost.push(index);
            }
        } else if self.at > last_set {
            merged.take.push((index, sent.clone()));
        } else {
            merged.lost.push(index);
            merged.as_sent = false;
        }
    }

    /// By keys, where the version is known that the sender had seen.
    fn merge_keys(&self, changes: &Changes, index: usize, stored: &Cell, sent: &Cell) -> Option<MergedKeys> {
        if changes.made_by_others.is_some() {
            return None;
        }
        let text = |cell: &Cell| match cell {
            Cell::Null => Some(String::new()),
            Cell::Text(text) => Some(text.to_string()),
            _ => None,
        };
        let unseen = changes.of(index).skip_while(|step| !step.by_others);
        let versions = unseen.map(|step| Some((text(&step.before)?, step.edited_at)));
        let versions: Vec<_> = versions.collect::<Option<_>>()?;
        let versions: Vec<_> = versions.iter().map(|(text, at)| (&**text, *at)).collect();
        merge_keys(&versions, &text(stored)?, &text(sent)?, self.at)
    }
}

/// Whether two values of a column mean the same: null and the column's empty value do, and JSON that is written in two
/// ways.
pub(in crate::store) fn means(column: &Column, one: &Cell, other: &Cell) -> bool {
    let has_empty = column.required || column.kind.is_json();
    let is_empty = |cell: &Cell| cell.is_blank() || (has_empty && *cell == Cell::empty(column.kind));
    one.means(other)
        || (is_empty(one) && is_empty(other))
        || match (one, other) {
            (Cell::Text(one), Cell::Text(other)) if column.kind.is_json() => same_json(one, other),
            _ => false,
        }
}

/// `updated_at` is never a conflict: a row that nobody else touched takes the sender's, any other the later one.
fn merge_time(
    merged: &mut Merged,
    index: usize,
    sent: &Cell,
    (stored, stored_time): (&Cell, i64),
    sent_time: Option<i64>,
    past: &Past,
) {
    let time = match (past, sent_time) {
        (_, None) => stored_time,
        (Past::Unchanged, Some(time)) => time,
        (Past::Changed(_), Some(time)) => time.max(stored_time),
    };
    let result = if sent_time.is_none() {
        stored.clone()
    } else {
        Cell::Integer(time)
    };
    merged.as_sent &= result.means(sent);
    if &result != stored {
        merged.take.push((index, result));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::past::Step;
    use super::*;
    use crate::store::schema::TableId;

    const NOW: Now = Now {
        at: HubTime::from_millis(1_800_000_000_000),
        is_trusted: true,
    };

    /// Others changed these columns, by edits of this time.
    fn by_others(names: &[&str], edited_at: i64) -> Past {
        let step = |name: &&str| {
            let step = Step {
                before: Cell::Null,
                by_others: true,
                edited_at,
            };
            (index(name), step)
        };
        Past::Changed(Changes {
            steps: names.iter().map(step).collect(),
            ..Changes::default()
        })
    }

    fn patients() -> &'static Table {
        TableId::named("patients").unwrap().table()
    }

    fn set(names: &[&str]) -> ColumnSet {
        patients().column_set(names.iter().copied())
    }

    fn index(name: &str) -> usize {
        patients().column(name).unwrap()
    }

    fn stored(values: &[(&str, Cell)]) -> Vec<Cell> {
        let mut row = vec![Cell::Null; patients().columns.len()];
        for (name, value) in values {
            row[index(name)] = value.clone();
        }
        row
    }

    fn sent(values: &[(&str, Cell)]) -> Vec<Option<Cell>> {
        let mut row = vec![None; patients().columns.len()];
        for (name, value) in values {
            row[index(name)] = Some(value.clone());
        }
        row
    }

    #[test]
    fn an_untouched_row_takes_what_was_sent() {
        let merged = merge(
            patients(),
            &stored(&[("given_name", Cell::text("A")), ("updated_at", Cell::Integer(500))]),
            &sent(&[("given_name", Cell::text("B")), ("updated_at", Cell::Integer(400))]),
            Some(set(&["given_name", "updated_at"])),
            &Past::Unchanged,
            NOW,
        );
        assert_eq!(
            merged.take,
            [
                (index("given_name"), Cell::text("B")),
                (index("updated_at"), Cell::Integer(400))
            ]
        );
        assert!(merged.as_sent && merged.lost.is_empty());
    }

    #[test]
    fn columns_that_only_one_side_changed_keep_both_changes() {
        let merged = merge(
            patients(),
            &stored(&[("given_name", Cell::text("old")), ("surname", Cell::text("theirs"))]),
            &sent(&[("given_name", Cell::text("mine")), ("surname", Cell::text("old"))]),
            Some(set(&["given_name"])),
            &by_others(&["surname"], 0),
            NOW,
        );
        assert_eq!(merged.take, [(index("given_name"), Cell::text("mine"))]);
        assert!(merged.lost.is_empty());
        assert!(!merged.as_sent, "the sender has to get the other's surname");
    }

    #[test]
    fn a_conflict_goes_to_the_later_one_and_a_tie_to_the_stored_one() {
        for (sent_time, wins) in [(301, true), (300, false), (299, false)] {
            let merged = merge(
                patients(),
                &stored(&[("given_name", Cell::text("theirs")), ("updated_at", Cell::Integer(300))]),
                &sent(&[
                    ("given_name", Cell::text("mine")),
                    ("updated_at", Cell::Integer(sent_time)),
                ]),
                Some(set(&["given_name"])),
                &by_others(&["given_name"], 300),
                NOW,
            );
            assert_eq!(merged.take.contains(&(index("given_name"), Cell::text("mine"))), wins);
            assert_eq!(merged.lost, if wins { vec![] } else { vec![index("given_name")] });
        }
    }

    #[test]
    fn a_fast_clock_does_not_win_for_ever() {
        let ahead = NOW.at.plus_millis(AHEAD_MS + 1).millis();
        let merged = merge(
            patients(),
            &stored(&[("updated_at", Cell::Integer(1))]),
            &sent(&[("updated_at", Cell::Integer(ahead))]),
            None,
            &Past::Unchanged,
            NOW,
        );
        assert_eq!(merged.take, [(index("updated_at"), Cell::Integer(NOW.at.millis()))]);
        assert!(!merged.as_sent);
    }

    #[test]
    fn null_and_empty_are_no_difference_unless_the_sender_says_so() {
        let stored = stored(&[("hometown", Cell::Null)]);
        let sent = sent(&[("hometown", Cell::text(""))]);
        let silent = merge(patients(), &stored, &sent, None, &Past::Unchanged, NOW);
        assert!(silent.take.is_empty() && silent.as_sent);
        let stated = merge(
            patients(),
            &stored,
            &sent,
            Some(set(&["hometown"])),
            &Past::Unchanged,
            NOW,
        );
        assert_eq!(stated.take, [(index("hometown"), Cell::text(""))]);
    }

    #[test]
    fn what_a_sender_has_of_a_row_that_it_never_got_is_kept_also_where_it_says_that_it_did_not_change_it() {
        let merged = |is_unseen| {
            let changes = Changes {
                is_unseen,
                ..Changes::default()
            };
            merge(
                patients(),
                &stored(&[("camp", Cell::text("by a copy of it")), ("phone", Cell::text("1"))]),
                &sent(&[("camp", Cell::text("")), ("phone", Cell::text("1"))]),
                Some(set(&["given_name"])),
                &Past::Changed(changes),
                NOW,
            )
        };
        let (unseen, seen) = (merged(true), merged(false));
        assert_eq!((unseen.lost, seen.lost), (vec![index("camp")], vec![]));
        assert!(unseen.take.is_empty() && !unseen.as_sent && !seen.as_sent);
    }

    fn cell() -> impl Strategy<Value = Cell> {
        prop_oneof![Just(Cell::Null), "[a-c]{0,2}".prop_map(|text| Cell::text(&text))]
    }

    fn row() -> impl Strategy<Value = Vec<Cell>> {
        (proptest::collection::vec(cell(), patients().columns.len()), 0_i64..5).prop_map(|(mut row, time)| {
            row[index("updated_at")] = Cell::Integer(time);
            row
        })
    }

    fn apply(stored: &[Cell], merged: &Merged) -> Vec<Cell> {
        let mut row = stored.to_vec();
        for (index, cell) in &merged.take {
            row[*index] = cell.clone();
        }
        row
    }

    proptest! {
        #[test]
        fn no_value_vanishes(stored in row(), sent in row(), changed in any::<u32>(), others in any::<u32>()) {
            let names = |bits: u32| -> Vec<&str> {
                patients().columns.iter().enumerate().filter(|(index, _)| bits & (1 << index) != 0).map(|(_, column)| column.name).collect()
            };
            let (changed, others) = (set(&names(changed)), by_others(&names(others), 3));
            let sent: Vec<_> = sent.into_iter().map(Some).collect();
            let merged = merge(patients(), &stored, &sent, Some(changed), &others, NOW);
            let result = apply(&stored, &merged);
            for (index, cell) in sent.iter().flatten().enumerate() {
                if index == self::index("updated_at") || !changed.contains(index) {
                    continue;
                }
                // What the sender changed is in the row, or known to have lost.
                let column = &patients().columns[index];
                prop_assert!(means(column, &result[index], cell) || merged.lost.contains(&index));
            }
            // Merging the same row again changes nothing.
            let again = merge(patients(), &result, &sent, Some(changed), &others, NOW);
            prop_assert!(again.take.iter().all(|(index, cell)| means(&patients().columns[*index], cell, &result[*index])));
        }

        #[test]
        fn who_comes_first_does_not_matter(base in row(), one in row(), other in row()) {
            let edit = |mut row: Vec<Cell>, time: i64| {
                row[index("updated_at")] = Cell::Integer(time);
                let changed = patients().columns.iter().enumerate().filter(|(index, _)| !row[*index].means(&base[*index]));
                let changed = set(&changed.map(|(_, column)| column.name).collect::<Vec<_>>());
                (row.into_iter().map(Some).collect::<Vec<_>>(), changed, time)
            };
            let (one, other) = (edit(one, 7), edit(other, 8));
            let both = |(first, changed, time): &(Vec<Option<Cell>>, ColumnSet, i64), (second, later, _): &(Vec<Option<Cell>>, ColumnSet, i64)| {
                let merged = merge(patients(), &base, first, Some(*changed), &Past::Unchanged, NOW);
                let steps = merged.take.iter().filter(|(index, cell)| !cell.means(&base[*index]));
                let steps = steps.map(|(index, _)| {
                    let step = Step { before: base[*index].clone(), by_others: true, edited_at: *time };
                    (*index, step)
                });
                let past = Past::Changed(Changes { steps: steps.collect(), ..Changes::default() });
                let stored = apply(&base, &merged);
                apply(&stored, &merge(patients(), &stored, second, Some(*later), &past, NOW))
            };
            let (there, back) = (both(&one, &other), both(&other, &one));
            for ((there, back), column) in there.iter().zip(&back).zip(patients().columns) {
                prop_assert!(means(column, there, back), "{}", column.name);
            }
        }

        #[test]
        fn what_comes_out_is_what_was_sent_when_it_says_so(stored in row(), sent in row(), others in any::<u64>()) {
            let sent: Vec<_> = sent.into_iter().map(Some).collect();
            let made = Past::Changed(Changes { steps: Vec::new(), made_by_others: Some(2), is_unseen: true });
            let past = if others & 1 == 0 { Past::Unchanged } else { made };
            let merged = merge(patients(), &stored, &sent, None, &past, NOW);
            let result = apply(&stored, &merged);
            let mut pairs = result.iter().zip(sent.iter().flatten()).zip(patients().columns);
            let same = pairs.all(|((a, b), column)| means(column, a, b));
            prop_assert_eq!(merged.as_sent, same);
        }
    }
}
