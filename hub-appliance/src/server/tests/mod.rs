//! The server through its port: a real socket, a real phone's cryptography, and stand-ins for what is behind it.

mod behind;
mod calls;
mod http;
mod life;
mod limits;
mod pairing;
mod phone;

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::time::Instant;

use self::behind::{Behind, Recorder};
use self::phone::Phone;
use super::{Gate, Limits, Pairing, Server, ServerHandle};

/// A running server and everything around it.
struct Hub {
    server: ServerHandle,
    gate: Arc<Gate>,
    behind: Arc<Behind>,
    pairing: Arc<Pairing>,
    told: Arc<Recorder>,
}

impl Hub {
    /// A server whose gate is not open.
    async fn closed(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gate = Arc::new(Gate::new());
        let told = Arc::new(Recorder::default());
        Self {
            server: Server::start(listener, Arc::clone(&gate), limits, told.clone()).unwrap(),
            gate,
            behind: Arc::default(),
            pairing: Arc::default(),
            told,
        }
    }

    /// A server whose gate is open.
    async fn open(limits: Limits) -> Self {
        let hub = Self::closed(limits).await;
        hub.unlock();
        hub
    }

    fn unlock(&self) {
        self.gate
            .open(behind::open_hub(Arc::clone(&self.behind), Arc::clone(&self.pairing)));
    }

    async fn connect(&self) -> http::Client {
        http::Client::connect(self.server.local_addr()).await
    }
}

/// A phone that has paired and handed shakes.
async fn paired(hub: &Hub) -> Phone {
    hub.pairing.open(Instant::now().into_std());
    let mut phone = Phone::new(hub.connect().await);
    assert_eq!(phone.handshake().await.status, 200);
    hub.pairing.decided();
    phone
}
