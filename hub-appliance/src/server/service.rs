//! The two rooms behind the server, as far as it sees them: what answers an opened request, and who is known.

use std::net::IpAddr;
use std::sync::Arc;

use crate::ids::ClientId;
use crate::procedures::{Caller, ProcedureError, Procedures, Request, Weight};
use crate::store::Refusal;
use crate::store::devices::{DeviceNumber, Devices, PairError, Standing};
use crate::wire::envelope::{Opened, Outgoing};
use crate::wire::message::Kind;

/// Runs one request to its end (blocking) and writes the JSON result. On error nothing was changed; a read that came to
/// [`ProcedureError::AnswerTooLong`] is run again, with more room.
pub type Run = Arc<dyn Fn(&Caller, &mut Outgoing) -> Result<(), ProcedureError> + Send + Sync>;

/// About how many bytes the answer will have (blocking). On error there will be none.
pub type Expect = Box<dyn FnOnce(&Caller) -> Result<usize, ProcedureError> + Send>;

/// A request that was understood and waits to be run.
pub struct Job {
    /// Where it has to queue.
    pub weight: Weight,
    /// For what can be long; everything else is small.
    pub expected: Option<Expect>,
    /// The work itself.
    pub run: Run,
}

/// What answers opened requests.
pub trait Service: Send + Sync {
    /// Understands a plaintext; nothing is done yet.
    ///
    /// # Errors
    /// [`ProcedureError`] if it is malformed or names no procedure.
    fn accept(self: Arc<Self>, kind: Kind, plaintext: Opened) -> Result<Job, ProcedureError>;
}

impl Service for Procedures {
    fn accept(self: Arc<Self>, kind: Kind, plaintext: Opened) -> Result<Job, ProcedureError> {
        let request = Request::parse(kind, plaintext)?;
        let request = Arc::new(request);
        let expected = request.can_be_long().then(|| {
            let (procedures, request) = (Arc::clone(&self), Arc::clone(&request));
            Box::new(move |caller: &Caller| procedures.expected(caller, &request)) as Expect
        });
        Ok(Job {
            weight: request.weight(),
            expected,
            run: Arc::new(move |caller, answer| self.call(caller, &request, answer)),
        })
    }
}

/// Which devices are known.
pub trait DeviceRegister: Send + Sync {
    /// Looks a client up in memory.
    fn standing(&self, client: ClientId) -> Standing;

    /// Stores a new device (blocking, durable when it returns).
    ///
    /// # Errors
    /// [`PairError`] if the table is full or cannot be written; then nothing was stored.
    fn pair(&self, client: ClientId, name: Option<String>) -> Result<DeviceNumber, PairError>;

    /// Notes in memory that the device was just heard of.
    fn seen(&self, device: DeviceNumber);

    /// Counts a request that was refused; `client` is whose it says it is, or is.
    fn refused(&self, refusal: Refusal, client: Option<ClientId>, address: IpAddr);
}

impl DeviceRegister for Devices {
    fn standing(&self, client: ClientId) -> Standing {
        self.standing(client)
    }

    fn pair(&self, client: ClientId, name: Option<String>) -> Result<DeviceNumber, PairError> {
        self.pair(client, name)
    }

    fn seen(&self, device: DeviceNumber) {
        self.seen(device);
    }

    fn refused(&self, refusal: Refusal, client: Option<ClientId>, address: IpAddr) {
        self.refused(refusal, client, address);
    }
}
