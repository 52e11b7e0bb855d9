//! The promises of the table under any sequence of handshakes, messages, replays and ends.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Handshake { client: u8, key: u16 },
    Open { client: u8, key: u16 },
    Replay { client: u8, index: proptest::sample::Index },
    Wait(u64),
    Forget { client: u8 },
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    let client = 0_u8..4;
    let key = 0_u16..12;
    prop_oneof![
        6 => (client.clone(), key.clone()).prop_map(|(client, key)| Step::Handshake { client, key }),
        8 => (client.clone(), key).prop_map(|(client, key)| Step::Open { client, key }),
        4 => (client.clone(), any::<proptest::sample::Index>()).prop_map(|(client, index)| Step::Replay { client, index }),
        2 => (0_u64..40).prop_map(Step::Wait),
        1 => client.prop_map(|client| Step::Forget { client }),
        1 => Just(Step::Clear),
    ]
}

proptest! {
    /// Whatever happens: nothing opens twice, nothing opens without a handshake in its lifetime, and the bounds hold.
    #[test]
    fn promises_hold_in_any_order(steps in proptest::collection::vec(step(), 1..120)) {
        let limits = SessionLimits {
            proven: 2,
            unproven: 3,
            unproven_in_all: 3,
            lifetime: Duration::from_secs(100),
            messages: 5,
            nonces: 1000,
            clients: 3,
        };
        let (table, mut now) = table(limits.clone());
        let mut agreed = HashMap::new();
        let mut recorded: Vec<Vec<u8>> = Vec::new();
        for step in steps {
            match step {
                Step::Handshake { client: number, key: k } => {
                    table.insert(client(number.into()), &key(k), HERE, now);
                    agreed.insert((number, k), now);
                }
                Step::Open { client: number, key: k } => {
                    let payload = payload(k);
                    if table.open(client(number.into()), HERE, Direction::Command, payload.clone(), now).is_ok() {
                        let since = agreed.get(&(number, k)).map(|made| now - *made);
                        prop_assert!(since.is_some_and(|since| since < limits.lifetime));
                        recorded.push(payload);
                    }
                }
                Step::Replay { client: number, index } if !recorded.is_empty() => {
                    let again = index.get(&recorded).clone();
                    prop_assert!(table.open(client(number.into()), HERE, Direction::Command, again, now).is_err());
                }
                Step::Replay { .. } => {}
                Step::Wait(seconds) => now += Duration::from_secs(seconds),
                Step::Forget { client: number } => {
                    table.forget(client(number.into()));
                    agreed.retain(|(of, _), _| *of != number);
                }
                Step::Clear => {
                    table.clear();
                    agreed.clear();
                }
            }
            let state = table.state();
            prop_assert!(state.clients.len() <= limits.clients);
            for client in state.clients.values() {
                let proven = client.sessions.iter().filter(|session| session.proven).count();
                prop_assert!(proven <= limits.proven && client.sessions.len() - proven <= limits.unproven);
            }
        }
    }
}
