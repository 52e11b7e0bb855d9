//! How it is with the relay to the cloud.

/// How it is with the cloud.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CloudStatus {
    /// What the relay is doing.
    pub standing: CloudStanding,
    /// Rows that are on their way.
    pub waiting: u32,
    /// Rows that can't go.
    pub held: u32,
}

/// What the relay to the cloud is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CloudStanding {
    /// Nobody has named a cloud.
    #[default]
    NeverSetUp,
    /// It waits for a network.
    NoNetwork,
    /// It has not come to the end of a run yet.
    Waiting,
    /// It came to the end of a run so many minutes ago.
    Done(u32),
    /// It asks the cloud, or takes in what that sent.
    Receiving,
    /// It has sent so many of so many rows.
    Sending(u32, u32),
    /// The cloud refuses the key.
    Refused,
    /// The organisation has stopped this hub.
    Inactive,
    /// The cloud gave the hub no clinic.
    NoClinic,
    /// The time of day is not known.
    NoClock,
    /// It did not work and is tried again.
    Failed,
    /// Address or certificate make no sense.
    Settings,
}
