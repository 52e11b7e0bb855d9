//! A disk that comes to no end with a change of its keys, as one does that answers slowly.

use std::sync::mpsc::{SyncSender, sync_channel};

use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Add,
    Keep,
}

#[derive(Debug)]
struct Slow {
    disk: Passphrases,
    /// What it comes to no end with before that is broken off.
    step: Step,
    begun: SyncSender<()>,
    broken: SyncSender<()>,
    is_broken: Mutex<Receiver<()>>,
    /// Whether it does it after all.
    comes_through: bool,
}

impl Slow {
    /// With it comes who is told when it has begun that step.
    fn at(step: Step, disk: &Passphrases, comes_through: bool) -> (Arc<Self>, Receiver<()>) {
        let ((begun, is_begun), (broken, is_broken)) = (sync_channel(1), sync_channel(1));
        let slow = Self {
            disk: disk.clone(),
            step,
            begun,
            broken,
            is_broken: Mutex::new(is_broken),
            comes_through,
        };
        (Arc::new(slow), is_begun)
    }

    fn waits(&self, at: Step) -> Result<(), DataDiskError> {
        if at == self.step {
            self.begun.send(()).unwrap();
            self.is_broken.lock().unwrap().recv().unwrap();
            if !self.comes_through {
                return Err(DataDiskError::Stopped);
            }
        }
        Ok(())
    }
}

impl DataDisk for Slow {
    fn state(&self) -> Result<DiskState, DataDiskError> {
        self.disk.state()
    }

    fn format(&self, passphrase: &SecretText, to: Option<u64>, tell: &dyn Fn(u16)) -> Result<(), DataDiskError> {
        self.disk.format(passphrase, to, tell)
    }

    fn open(&self, passphrase: &SecretText) -> Result<(), DataDiskError> {
        self.disk.open(passphrase)
    }

    fn add_key(&self, present: &SecretText, new: &SecretText) -> Result<(), DataDiskError> {
        self.waits(Step::Add)?;
        self.disk.add_key(present, new)
    }

    fn keep_key(&self, passphrase: &SecretText) -> Result<(), DataDiskError> {
        self.waits(Step::Keep)?;
        self.disk.keep_key(passphrase)
    }

    fn break_off(&self) {
        // Once is enough.
        let _ = self.broken.try_send(());
    }

    fn close(&self) -> Result<(), DataDiskError> {
        self.disk.close()
    }
}

#[test]
fn a_disk_that_is_slow_with_its_keys_keeps_nobody_from_locking_and_the_next_unlock_goes_on() {
    for step in [Step::Add, Step::Keep] {
        let (hub, _) = Appliance::with_another_pin();
        let Unlocked {
            master,
            work,
            mut inbox,
        } = hub.unlock(NEW).unwrap();
        let store = Arc::clone(&work.parts.store);
        let (disk, is_begun) = Slow::at(step, &hub.disk, false);
        let parts = Parts { disk, ..work.parts };
        let rotating = Rotating::start(parts, master, None).unwrap();
        is_begun.recv().unwrap();
        drop(rotating);
        assert!(inbox.try_recv().is_err());
        // Nobody holds it any more, nor what it is opened by.
        assert!(store.close(Duration::from_secs(5)));
        assert_eq!(Arc::strong_count(&store), 1);
        drop(store);

        let mut unlocked = hub.unlock(NEW).unwrap();
        unlocked.work.run(unlocked.master.clone());
        assert!(matches!(unlocked.inbox.try_recv(), Ok(Event::Rotated(_))), "{step:?}");
        assert_eq!(hub.disk.0.lock().unwrap().len(), 1);
    }
}

#[test]
fn the_one_before_does_not_come_to_its_end_while_a_person_changes_the_pin() {
    let (hub, _) = Appliance::with_another_pin();
    let Unlocked {
        master,
        work,
        mut inbox,
    } = hub.unlock(NEW).unwrap();
    let (disk, is_begun) = Slow::at(Step::Keep, &hub.disk, true);
    let slow = Parts {
        disk,
        ..work.parts.clone()
    };
    let before = Rotating::start(slow, master, None).unwrap();
    is_begun.recv().unwrap();

    let keys = &work.parts.keys;
    let in_hand = keys.in_hand();
    let master = keys.unlock_with_pin(&pin(NEW)).unwrap();
    keys.change_pin(&master, &pin(OLD), KdfCost::MINIMUM, HubTime::ZERO)
        .unwrap();
    let after = Rotating::start(work.parts.clone(), master, Some(before)).unwrap();
    drop(in_hand);
    // The one that was begun comes to its end, and for the slot that went meanwhile there is another.
    for _ in 0..2 {
        while inbox.try_recv().is_err() {
            assert_eq!(after.trouble(), None);
            std::thread::yield_now();
        }
    }
    drop(after);
    assert_eq!(keys.rotation().unwrap(), Rotation::Settled);
    assert_eq!(hub.disk.0.lock().unwrap().len(), 1);
    let entries = entries(&work.parts.store);
    assert_eq!(entries.iter().filter(|action| *action == "keys.rotate").count(), 2);
}
