//! Merging one pushed row with the stored one, column by column (protocol, "Merging").
//!
//! Pure: rows go in, a decision comes out.

use crate::clock::HubTime;
use crate::store::schema::{ColumnSet, Table};
use crate::store::value::Cell;

/// A pushed `updated_at` further ahead of the hub clock than this counts as the hub's now.
const AHEAD_MS: i64 = 5 * 60 * 1000;

/// A row as it was sent: one entry a column, `None` where the column was not sent.
pub(in crate::store) type SentCells = [Option<Cell>];

/// What the stored row went through since the sender last saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Since {
    /// Nothing: the sent row is applied as it is.
    Unchanged,
    /// It changed; these columns were changed by others than the sender.
    ChangedByOthers(ColumnSet),
}

/// What is to happen to the stored row.
#[derive(Debug, Default, PartialEq)]
pub(in crate::store) struct Merged {
    /// Columns that take a new value.
    pub take: Vec<(usize, Cell)>,
    /// Columns whose sent value lost against the stored one.
    pub lost: Vec<usize>,
    /// The row that comes out means the same as the one that was sent, so its sender need not get it back.
    pub as_sent: bool,
}

/// Decides.
///
/// `stored` has one value a column of `table`; `changed` are the columns that the sender says it changed (`None`: all
/// that differ).
#[must_use]
pub(in crate::store) fn merge(
    table: &Table,
    stored: &[Cell],
    sent: &SentCells,
    changed: Option<ColumnSet>,
    since: Since,
    now: HubTime,
) -> Merged {
    let updated_at = table.column("updated_at");
    let stored_time = updated_at.and_then(|index| stored[index].as_integer()).unwrap_or(0);
    let sent_time = updated_at
        .and_then(|index| sent[index].as_ref()?.as_integer())
        .map(|time| not_ahead(time, now));
    let sender_is_later = sent_time.unwrap_or(0) > stored_time;

    let mut merged = Merged {
        as_sent: true,
        ..Merged::default()
    };
    for (index, sent) in sent.iter().enumerate() {
        let Some(sent) = sent else { continue };
        let stored = &stored[index];
        if Some(index) == updated_at {
            merge_time(&mut merged, index, sent, (stored, stored_time), sent_time, since);
            continue;
        }
        let stated = changed.is_some_and(|changed| changed.contains(index));
        if sent == stored || (!stated && sent.means(stored)) {
            continue;
        }
        let (sender_changed, conflict) = match since {
            Since::Unchanged => (true, false),
            Since::ChangedByOthers(others) => (stated || changed.is_none(), others.contains(index)),
        };
        if !sender_changed {
            merged.as_sent = false;
        } else if !conflict || (sender_is_later && !sent.means(stored)) {
            merged.take.push((index, sent.clone()));
        } else if !sent.means(stored) {
            merged.lost.push(index);
            merged.as_sent = false;
        }
    }
    merged
}

/// A time, or the hub's now where it is too far ahead.
#[must_use]
pub(in crate::store) fn not_ahead(time: i64, now: HubTime) -> i64 {
    if time > now.plus_millis(AHEAD_MS).millis() {
        now.millis()
    } else {
        time
    }
}

/// `updated_at` is never a conflict: a row that nobody else touched takes the sender's, any other the later one.
fn merge_time(
    merged: &mut Merged,
    index: usize,
    sent: &Cell,
    (stored, stored_time): (&Cell, i64),
    sent_time: Option<i64>,
    since: Since,
) {
    let time = match (since, sent_time) {
        (_, None) => stored_time,
        (Since::Unchanged, Some(time)) => time,
        (Since::ChangedByOthers(_), Some(time)) => time.max(stored_time),
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

    use super::*;
    use crate::store::schema::TableId;

    const NOW: HubTime = HubTime::from_millis(1_800_000_000_000);

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
            Since::Unchanged,
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
            Since::ChangedByOthers(set(&["surname"])),
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
                Since::ChangedByOthers(set(&["given_name"])),
                NOW,
            );
            assert_eq!(merged.take.contains(&(index("given_name"), Cell::text("mine"))), wins);
            assert_eq!(merged.lost, if wins { vec![] } else { vec![index("given_name")] });
        }
    }

    #[test]
    fn a_fast_clock_does_not_win_for_ever() {
        let ahead = NOW.plus_millis(AHEAD_MS + 1).millis();
        let merged = merge(
            patients(),
            &stored(&[("updated_at", Cell::Integer(1))]),
            &sent(&[("updated_at", Cell::Integer(ahead))]),
            None,
            Since::Unchanged,
            NOW,
        );
        assert_eq!(merged.take, [(index("updated_at"), Cell::Integer(NOW.millis()))]);
        assert!(!merged.as_sent);
    }

    #[test]
    fn null_and_empty_are_no_difference_unless_the_sender_says_so() {
        let stored = stored(&[("hometown", Cell::Null)]);
        let sent = sent(&[("hometown", Cell::text(""))]);
        let silent = merge(patients(), &stored, &sent, None, Since::Unchanged, NOW);
        assert!(silent.take.is_empty() && silent.as_sent);
        let stated = merge(
            patients(),
            &stored,
            &sent,
            Some(set(&["hometown"])),
            Since::Unchanged,
            NOW,
        );
        assert_eq!(stated.take, [(index("hometown"), Cell::text(""))]);
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
            let (changed, others) = (set(&names(changed)), set(&names(others)));
            let sent: Vec<_> = sent.into_iter().map(Some).collect();
            let merged = merge(patients(), &stored, &sent, Some(changed), Since::ChangedByOthers(others), NOW);
            let result = apply(&stored, &merged);
            for (index, cell) in sent.iter().flatten().enumerate() {
                if index == self::index("updated_at") || !changed.contains(index) {
                    continue;
                }
                // What the sender changed is in the row, or known to have lost.
                prop_assert!(result[index].means(cell) || merged.lost.contains(&index));
            }
            // Merging the same row again changes nothing.
            let again = merge(patients(), &result, &sent, Some(changed), Since::ChangedByOthers(others), NOW);
            prop_assert!(again.take.iter().all(|(index, cell)| cell.means(&result[*index])));
        }

        #[test]
        fn what_comes_out_is_what_was_sent_when_it_says_so(stored in row(), sent in row(), others in any::<u64>()) {
            let sent: Vec<_> = sent.into_iter().map(Some).collect();
            let since = if others & 1 == 0 { Since::Unchanged } else { Since::ChangedByOthers(ColumnSet::ALL) };
            let merged = merge(patients(), &stored, &sent, None, since, NOW);
            let result = apply(&stored, &merged);
            let same = result.iter().zip(sent.iter().flatten()).all(|(a, b)| a.means(b));
            prop_assert_eq!(merged.as_sent, same);
        }
    }
}
