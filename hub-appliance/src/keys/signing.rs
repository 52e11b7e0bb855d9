//! Signatures of the hub: ECDSA on P-256 with SHA-256 (FIPS 186-5), the nonce derived from key and message (RFC 6979).

use std::fmt;

use p256::ecdsa::signature::{Signer as _, Verifier as _};
use p256::ecdsa::{self, Signature, VerifyingKey};

use super::vault::VaultError;
use crate::secret::Secret;

/// Bytes of a signature: r ‖ s, each big-endian.
pub const SIGNATURE_LEN: usize = 64;

/// Bytes of a public key: a point, compressed.
pub const PUBLIC_LEN: usize = 33;

/// Whether `signature` is over `message`, by the key whose compressed point is `public`.
#[must_use]
pub fn is_signed_by(public: &[u8; PUBLIC_LEN], message: &[u8], signature: &[u8]) -> bool {
    let key = VerifyingKey::from_sec1_bytes(public);
    let signature = Signature::from_slice(signature);
    matches!((key, signature), (Ok(key), Ok(signature)) if key.verify(message, &signature).is_ok())
}

/// A P-256 private key, for signing: the hub's identity, or that of an organisation's desk. Prints nothing of itself and wipes itself when dropped.
pub struct SigningKey(Box<ecdsa::SigningKey>);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl SigningKey {
    /// From the scalar in the vault, big-endian.
    ///
    /// # Errors
    /// [`VaultError::Damaged`] if it is zero or not below the order of the group.
    pub fn new(scalar: &Secret<32>) -> Result<Self, VaultError> {
        ecdsa::SigningKey::from_slice(scalar.expose())
            .map(|key| Self(Box::new(key)))
            .map_err(|_| VaultError::Damaged)
    }

    /// A new key, and the scalar to keep of it.
    ///
    /// # Errors
    /// [`VaultError::Random`].
    pub fn generate() -> Result<(Self, Secret<32>), VaultError> {
        let scalar = super::vault::p256_scalar()?;
        Ok((Self::new(&scalar)?, scalar))
    }

    /// The public key, compressed (SEC 1).
    #[must_use]
    pub fn public(&self) -> [u8; PUBLIC_LEN] {
        let mut public = [0; PUBLIC_LEN];
        let point = self.0.verifying_key().to_sec1_point(true);
        public.copy_from_slice(point.as_bytes());
        public
    }

    /// The signature over `message`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        let signature: Signature = self.0.sign(message);
        signature.to_bytes().into()
    }

    /// Whether `signature` is this key's over `message`.
    #[must_use]
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let key: &VerifyingKey = self.0.verifying_key();
        Signature::from_slice(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6979, A.2.5: P-256, SHA-256, message "sample".
    #[test]
    fn signs_as_the_standard_does_and_takes_no_other_signature() {
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
                .collect()
        };
        let scalar = hex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721");
        let key = SigningKey::new(&Secret::new(scalar.try_into().unwrap())).unwrap();
        let expected = hex("EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716\
             F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8");
        assert_eq!(key.sign(b"sample")[..], expected);
        assert!(key.has_signed(b"sample", &expected));
        assert!(!key.has_signed(b"Sample", &expected));
        // The same A.2.5: the public key's x, and y is odd or even as the first byte says.
        let x = hex("60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6");
        let public = key.public();
        assert_eq!((public[0], &public[1..]), (3, &x[..]));
        assert!(is_signed_by(&public, b"sample", &expected) && !is_signed_by(&public, b"Sample", &expected));
        let (other, _) = SigningKey::generate().unwrap();
        assert!(!is_signed_by(&other.public(), b"sample", &expected));
        assert!(!is_signed_by(&[9; PUBLIC_LEN], b"sample", &expected));
        for at in [0, 31, 32, 63] {
            let mut other = expected.clone();
            other[at] ^= 1;
            assert!(!key.has_signed(b"sample", &other), "byte {at}");
        }
        assert!(!key.has_signed(b"sample", &expected[..63]));
        assert_eq!(format!("{key:?}"), "[secret]");
        SigningKey::new(&Secret::new([0; 32])).unwrap_err();
    }
}
