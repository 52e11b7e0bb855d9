//! Envelope.

/// Which message of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// command request
    Command,
    /// command response
    CommandResponse,
    /// query request
    Query,
    /// query response
    QueryResponse,
}

/// An opened plaintext; wiped on drop.
#[derive(Debug)]
pub struct Opened(Vec<u8>);

impl std::ops::Deref for Opened {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// A plaintext under construction with room for the nonce in front, so that it is sealed where it stands.
#[derive(Debug, Default)]
pub struct Outgoing(Vec<u8>);

impl Outgoing {
    /// Empty.
    pub fn new() -> Self {
        todo!()
    }
    /// The plaintext so far, to be appended to (only appended: the first bytes are the nonce's place).
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
    /// Throws away what was written.
    pub fn clear(&mut self) {
        todo!()
    }
}

impl std::io::Write for Outgoing {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0.extend_from_slice(buf);
        Ok(buf.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// nonce ‖ ciphertext ‖ tag.
#[derive(Debug)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// The sealed bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
    /// Takes them out.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}
