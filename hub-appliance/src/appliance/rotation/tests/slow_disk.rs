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
}

impl Slow {
    fn waits(&self, at: Step) -> Result<(), DataDiskError> {
        if at == self.step {
            self.begun.send(()).unwrap();
            self.is_broken.lock().unwrap().recv().unwrap();
            return Err(DataDiskError::Stopped);
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
        let ((begun, is_begun), (broken, is_broken)) = (sync_channel(1), sync_channel(1));
        let store = Arc::clone(&work.parts.store);
        let parts = Parts {
            disk: Arc::new(Slow {
                disk: hub.disk.clone(),
                step,
                begun,
                broken,
                is_broken: Mutex::new(is_broken),
            }),
            ..work.parts
        };
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
