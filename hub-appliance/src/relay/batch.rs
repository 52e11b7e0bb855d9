//! What goes in one request, and how the row is found that makes the cloud refuse one. Pure.

use crate::store::relay::{Digests, Sent, after_push_order};
use crate::store::schema::TableId;

/// The most rows of a request.
pub(super) const ROWS: usize = 500;
/// The most bytes of its rows.
const BYTES: usize = 1024 * 1024;
/// The fewest bytes that a request is cut down to where the link breaks: eight seconds of a poor one.
const FEWEST: usize = 32 * 1024;

/// Which list of a request a row goes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    Created,
    Updated,
    Deleted,
}

/// A row that is made to fit.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    pub(super) sent: Sent,
    pub(super) list: List,
    /// The row, or its id for a deletion: JSON.
    pub(super) json: Box<str>,
    /// What goes instead where the cloud refuses the row by itself: JSON, and what the cloud is to hold then.
    pub(super) instead: Option<(Box<str>, Digests)>,
    /// What the cloud may hold of it by now.
    pub(super) before: Vec<Digests>,
}

impl Prepared {
    /// Makes of it what goes instead; false where nothing does.
    pub(super) fn take_instead(&mut self) -> bool {
        let Some((json, digests)) = self.instead.take() else {
            return false;
        };
        (self.json, self.sent.digests) = (json, Some(digests));
        true
    }
}

/// How much a request may carry over this link: half as much after each break, and a little more after each request that
/// got through.
#[derive(Debug)]
pub(super) struct Load(usize);

impl Default for Load {
    fn default() -> Self {
        Self(BYTES)
    }
}

impl Load {
    /// Bytes of rows.
    pub(super) const fn bytes(&self) -> usize {
        self.0
    }

    pub(super) fn broke(&mut self) {
        self.0 = (self.0 / 2).max(FEWEST);
    }

    pub(super) fn carried(&mut self) {
        self.0 = (self.0 + self.0 / 8).min(BYTES);
    }
}

/// How many of the first rows go in one request of at most so many bytes; one that is larger goes alone.
pub(super) fn fill(rows: &[Prepared], most: usize) -> usize {
    let mut bytes = 0;
    let mut tables: Vec<TableId> = Vec::new();
    for (count, row) in rows.iter().enumerate() {
        bytes += row.json.len();
        let table = row.sent.table;
        let parts = tables.iter().any(|earlier| after_push_order(*earlier, table));
        if count == ROWS || (count > 0 && bytes > most) || parts {
            return count;
        }
        if tables.last() != Some(&table) {
            tables.push(table);
        }
    }
    rows.len()
}

/// The body of a request: `{table:{created:[row],updated:[row],deleted:[id]}}`.
pub(super) fn body(rows: &[Prepared]) -> String {
    let mut tables: Vec<(TableId, [Vec<&str>; 3])> = Vec::new();
    for row in rows {
        let table = row.sent.table;
        let place = tables.iter().position(|(known, _)| *known == table);
        let place = place.unwrap_or_else(|| {
            tables.push((table, Default::default()));
            tables.len() - 1
        });
        tables[place].1[row.list as usize].push(&row.json);
    }
    let mut body = String::from("{");
    for (table, [created, updated, deleted]) in tables {
        if body.len() > 1 {
            body.push(',');
        }
        body.push_str(&format!(
            "\"{}\":{{\"created\":[{}],\"updated\":[{}],\"deleted\":[{}]}}",
            table.table().name,
            created.join(","),
            updated.join(","),
            deleted.join(",")
        ));
    }
    body.push('}');
    body
}

/// Finds the row that makes a request fail: among the next rows to be sent, a bad one is known to be within `window`.
#[derive(Debug, Default)]
pub(super) struct Halving {
    window: Option<usize>,
}

impl Halving {
    /// How many rows to send next, of as many as would go.
    pub(super) fn size(&self, fitting: usize) -> usize {
        self.window
            .map_or(fitting, |window| window.div_ceil(2))
            .min(fitting)
            .max(1)
    }

    /// The cloud took `rows`.
    pub(super) fn taken(&mut self, rows: usize) {
        self.window = self
            .window
            .and_then(|window| window.checked_sub(rows))
            .filter(|left| *left > 0);
    }

    /// The cloud refused `rows`: whether that is the bad one by itself.
    pub(super) fn refused(&mut self, rows: usize) -> bool {
        self.window = (rows > 1).then_some(rows);
        rows == 1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::HubTime;

    fn row(table: &str, bytes: usize) -> Prepared {
        Prepared {
            sent: Sent {
                table: TableId::named(table).unwrap(),
                id: "a".into(),
                version: HubTime::ZERO,
                digests: None,
                on_answer: None,
            },
            list: List::Created,
            json: "1".repeat(bytes).into(),
            instead: None,
            before: Vec::new(),
        }
    }

    #[test]
    fn a_request_is_bounded_and_never_has_items_beside_what_names_them() {
        let rows = |table, count, bytes| vec![row(table, bytes); count];
        let fill = |rows: &[Prepared]| fill(rows, BYTES);
        assert_eq!(fill(&rows("visits", 700, 10)), ROWS);
        assert_eq!(fill(&rows("visits", 20, BYTES / 10)), 10);
        assert_eq!(fill(&rows("visits", 2, BYTES * 2)), 1, "one that is larger goes alone");
        let mixed = [
            rows("visits", 3, 1),
            rows("prescription_items", 2, 1),
            rows("dispensing_records", 2, 1),
        ]
        .concat();
        assert_eq!(fill(&mixed), 5);
        assert_eq!(
            body(&mixed[2..4]),
            r#"{"visits":{"created":[1],"updated":[],"deleted":[]},"prescription_items":{"created":[1],"updated":[],"deleted":[]}}"#
        );
    }

    #[test]
    fn a_link_that_breaks_gets_less_to_carry_and_one_that_holds_all_of_it_again() {
        let mut load = Load::default();
        for _ in 0..9 {
            load.broke();
        }
        assert_eq!(load.bytes(), FEWEST);
        for _ in 0..40 {
            load.carried();
        }
        assert_eq!(load.bytes(), BYTES);
    }

    proptest! {
        #[test]
        fn a_bad_row_is_found_in_few_requests_and_all_others_land(count in 1_usize..3000, bad in any::<proptest::sample::Index>()) {
            let bad = bad.index(count);
            let mut queue: Vec<usize> = (0..count).collect();
            let (mut halving, mut requests, mut found) = (Halving::default(), 0, None);
            let mut landed = 0;
            while !queue.is_empty() {
                let size = halving.size(queue.len().min(ROWS));
                requests += 1;
                if queue[..size].contains(&bad) {
                    if halving.refused(size) {
                        found = Some(queue.remove(0));
                    }
                } else {
                    halving.taken(size);
                    queue.drain(..size);
                    landed += size;
                }
            }
            prop_assert_eq!(found, Some(bad));
            prop_assert_eq!(landed, count - 1);
            prop_assert!(requests <= count.div_ceil(ROWS) + 12, "{}", requests);
        }
    }
}
