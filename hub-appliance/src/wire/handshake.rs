//! Key agreement: from the hub's static keys and a phone's public key to a session key.
//!
//! The form of the phone's key selects the curve, X25519 (RFC 7748) or NIST P-256 (SEC 1), and the hub answers with
//! its key on the same curve. What is not a point that contributes to the result is refused. The derivation is that
//! of the wire contract, "Key agreement":
//!
//! ```text
//! ikm  = ECDH shared secret (X25519: 32 bytes; P-256: the 32-byte x coordinate)
//! salt = "hikma-health-pairing-v1"
//! info = hub public key ‖ client public key   (X25519 32 + 32 bytes, P-256 65 + 65, uncompressed)
//! key  = HKDF-SHA256(ikm, salt, info, 32 bytes)
//! ```

use std::fmt;

use hkdf::Hkdf;
use p256::Sec1Point;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use sha2::{Digest as _, Sha256};
use x25519_dalek::StaticSecret;

use super::base64url;
use crate::secret::{Secret, mark_stack};

/// Salt of the key derivation (wire contract, "Key agreement").
const SALT: &[u8] = b"hikma-health-pairing-v1";

/// Characters of the longest key: 65 bytes in base64url.
const MAX_KEY_CHARS: usize = 87;

/// A phone's public key, known to be of one of the contract's forms and, on P-256, to lie on the curve.
#[derive(Clone, Debug)]
pub struct ClientPublicKey(Point);

#[derive(Clone, Debug)]
enum Point {
    X25519(x25519_dalek::PublicKey),
    P256(p256::PublicKey),
}

/// Why a key is refused; a phone gets 400 and nothing is stored.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The phone's key is not base64url, has no form that the contract knows, is off its curve or is the identity.
    #[error("the public key is malformed")]
    MalformedKey,
    /// The phone's X25519 key is a point of small order: the shared secret would be all zero, whatever the hub's key
    /// (RFC 7748, section 6.1).
    #[error("the public key does not contribute to the shared secret")]
    NonContributory,
    /// The hub's stored P-256 private key is zero or not below the order of the group.
    #[error("the stored private key is malformed")]
    MalformedPrivateKey,
}

impl ClientPublicKey {
    /// Reads a key in base64url without padding.
    ///
    /// | decoded | curve |
    /// |---|---|
    /// | 32 bytes | X25519 |
    /// | 65 bytes, the first 0x04 | P-256, SEC 1 uncompressed |
    /// | 33 bytes, the first 0x02 or 0x03 | P-256, SEC 1 compressed |
    ///
    /// # Errors
    /// [`HandshakeError::MalformedKey`] for everything else. An X25519 key of small order shows only in
    /// [`IdentityKeys::agree`].
    pub fn parse(text: &str) -> Result<Self, HandshakeError> {
        if text.len() > MAX_KEY_CHARS {
            return Err(HandshakeError::MalformedKey);
        }
        let bytes = base64url::decode(text).ok_or(HandshakeError::MalformedKey)?;
        if let Ok(u) = <[u8; 32]>::try_from(bytes.as_slice()) {
            return Ok(Self(Point::X25519(u.into())));
        }
        match (bytes.len(), bytes.first()) {
            (65, Some(0x04)) | (33, Some(0x02 | 0x03)) => p256::PublicKey::from_sec1_bytes(&bytes)
                .map(|point| Self(Point::P256(point)))
                .map_err(|_| HandshakeError::MalformedKey),
            _ => Err(HandshakeError::MalformedKey),
        }
    }
}

/// What a handshake yields.
#[derive(Debug)]
pub struct Agreement {
    /// The session key, 32 bytes for AES-256-GCM.
    pub session_key: Secret<32>,
    /// The hub's public key on the phone's curve, base64url without padding.
    pub hub_public_key: String,
}

/// Both static key pairs of the hub. Prints nothing of itself and wipes itself when dropped.
pub struct IdentityKeys {
    x25519: Box<StaticSecret>,
    x25519_public: x25519_dalek::PublicKey,
    x25519_public_text: String,
    p256: Box<p256::SecretKey>,
    p256_public: Sec1Point,
    p256_public_text: String,
}

impl IdentityKeys {
    /// From the stored private keys: the X25519 scalar as RFC 7748 has it (clamped when used, not before), and the
    /// P-256 scalar big-endian. The public keys are reckoned here, once.
    ///
    /// # Errors
    /// [`HandshakeError::MalformedPrivateKey`] if the P-256 scalar is out of range; of 2³² random ones about one is.
    pub fn new(x25519: &Secret<32>, p256: &Secret<32>) -> Result<Self, HandshakeError> {
        mark_stack();
        let x25519 = Box::new(StaticSecret::from(*x25519.expose()));
        let x25519_public = x25519_dalek::PublicKey::from(&*x25519);
        let p256 = p256::SecretKey::from_slice(p256.expose())
            .map(Box::new)
            .map_err(|_| HandshakeError::MalformedPrivateKey)?;
        let p256_public = p256.public_key().to_sec1_point(false);
        Ok(Self {
            x25519_public_text: base64url::encode(x25519_public.as_bytes()),
            p256_public_text: base64url::encode(p256_public.as_bytes()),
            x25519,
            x25519_public,
            p256,
            p256_public,
        })
    }

    /// The X25519 public key, base64url without padding: `pk` of the QR code.
    #[must_use]
    pub fn x25519_public(&self) -> String {
        self.x25519_public_text.clone()
    }

    /// What people compare to know this hub: the first 8 bytes of the SHA-256 of its X25519 public key.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 8] {
        let digest: [u8; 32] = Sha256::digest(self.x25519_public.as_bytes()).into();
        std::array::from_fn(|index| digest[index])
    }

    /// Agrees with a phone on a session key, on the curve of the phone's key.
    ///
    /// # Errors
    /// [`HandshakeError::NonContributory`] for an X25519 key of small order.
    pub fn agree(&self, client: &ClientPublicKey) -> Result<Agreement, HandshakeError> {
        mark_stack();
        match &client.0 {
            Point::X25519(public) => {
                let shared = self.x25519.diffie_hellman(public);
                if !shared.was_contributory() {
                    return Err(HandshakeError::NonContributory);
                }
                Ok(Agreement {
                    session_key: derive(shared.as_bytes(), self.x25519_public.as_bytes(), public.as_bytes()),
                    hub_public_key: self.x25519_public_text.clone(),
                })
            }
            Point::P256(public) => {
                let shared = self.p256.diffie_hellman(public);
                let client = public.to_sec1_point(false);
                Ok(Agreement {
                    session_key: derive(
                        shared.raw_secret_bytes(),
                        self.p256_public.as_bytes(),
                        client.as_bytes(),
                    ),
                    hub_public_key: self.p256_public_text.clone(),
                })
            }
        }
    }
}

impl fmt::Debug for IdentityKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// HKDF-SHA256 (RFC 5869) with the contract's salt and info.
fn derive(shared: &[u8], hub_public: &[u8], client_public: &[u8]) -> Secret<32> {
    let mut key = Secret::new([0; 32]);
    Hkdf::<Sha256>::new(Some(SALT), shared)
        .expand_multi_info(&[hub_public, client_public], key.expose_mut())
        .expect("HKDF-SHA256 gives up to 8,160 bytes");
    key
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hub() -> IdentityKeys {
        IdentityKeys::new(&Secret::new([7; 32]), &Secret::new([9; 32])).unwrap()
    }

    #[test]
    fn prints_nothing_of_itself() {
        let hub = hub();
        assert_eq!(format!("{hub:?}"), "[secret]");
        let client = ClientPublicKey::parse(&base64url::encode(&[9; 32])).unwrap();
        let agreement = hub.agree(&client).unwrap();
        assert!(format!("{agreement:?}").contains("session_key: [secret]"));
    }

    /// Compiles only as long as the features of the dependencies that wipe their keys are on.
    #[test]
    fn keys_wipe_themselves() {
        fn wipes<T: zeroize::ZeroizeOnDrop>() {}
        wipes::<StaticSecret>();
        wipes::<x25519_dalek::SharedSecret>();
        wipes::<p256::SecretKey>();
        wipes::<p256::ecdh::SharedSecret>();
        wipes::<Sha256>();
    }

    #[test]
    fn fingerprint_is_the_start_of_the_hash() {
        // The first agreement of the contract's worked examples, hashed by another implementation.
        let private = [
            0xc5, 0xfe, 0xd7, 0xf0, 0x19, 0xe1, 0xca, 0x45, 0x72, 0x2b, 0x86, 0x71, 0x30, 0x6f, 0xf7, 0xb6, 0x6f, 0xd5,
            0xd8, 0x00, 0x7d, 0xc4, 0x6d, 0xa3, 0xf7, 0x34, 0xc5, 0x02, 0x9a, 0x43, 0x3d, 0x49,
        ];
        let hub = IdentityKeys::new(&Secret::new(private), &Secret::new([9; 32])).unwrap();
        assert_eq!(hub.x25519_public(), "ZrP_QgCFgmgq9HriZT430s6oLUiCBgfdgamB74qqk0s");
        assert_eq!(hub.fingerprint(), [0x3A, 0xF5, 0x59, 0xC4, 0xC2, 0xD7, 0xE2, 0x33]);
    }

    #[test]
    fn refuses_p256_scalars_out_of_range() {
        for scalar in [[0; 32], [0xff; 32]] {
            let refused = IdentityKeys::new(&Secret::new([7; 32]), &Secret::new(scalar));
            assert_eq!(refused.unwrap_err(), HandshakeError::MalformedPrivateKey);
        }
    }

    #[test]
    fn refuses_every_x25519_point_of_small_order() {
        // u coordinates of order 1, 2, 4 and 8 on the curve and its twist, canonical or not, with and without the top
        // bit that RFC 7748 has masked: 0, 1, p-1, p, p+1 and the two of order 8.
        let p = |last: u8| {
            let mut u = [0xff; 32];
            u[0] = last;
            u[31] = 0x7f;
            u
        };
        let mut one = [0; 32];
        one[0] = 1;
        let order_8 = |text: &str| <[u8; 32]>::try_from(base64url::decode(text).unwrap()).unwrap();
        let points = [
            [0; 32],
            one,
            p(0xec),
            p(0xed),
            p(0xee),
            order_8("4Ot6fDtBuK4WVuP68Z_EatoJjeucMrH9hmIFFl9JuAA"),
            order_8("X5yVvKNQjCSx0LFVnIPvWwREXMRYHI6G2CJO3dCfEVc"),
        ];
        for mut u in points {
            for top_bit in [0, 0x80] {
                u[31] |= top_bit;
                let client = ClientPublicKey::parse(&base64url::encode(&u)).unwrap();
                assert_eq!(
                    hub().agree(&client).unwrap_err(),
                    HandshakeError::NonContributory,
                    "{u:?}"
                );
            }
        }
    }

    #[test]
    fn refuses_the_sec1_forms_that_the_contract_leaves_out() {
        let good = hub().p256_public;
        let mut hybrid = good.as_bytes().to_vec();
        hybrid[0] = 0x06 | (hybrid[64] & 1);
        let mut compact = good.as_bytes()[..33].to_vec();
        compact[0] = 0x05;
        for bytes in [
            &hybrid[..],
            &compact,
            &[0],
            &good.as_bytes()[..64],
            &[good.as_bytes(), &[0]].concat(),
        ] {
            let refused = ClientPublicKey::parse(&base64url::encode(bytes));
            assert_eq!(refused.unwrap_err(), HandshakeError::MalformedKey, "{bytes:?}");
        }
    }

    #[test]
    fn compressed_and_uncompressed_keys_agree_on_the_same_session_key() {
        let hub = hub();
        let client = p256::SecretKey::from_slice(&[5; 32]).unwrap().public_key();
        let [compressed, uncompressed] = [true, false].map(|compress| {
            let text = base64url::encode(client.to_sec1_point(compress).as_bytes());
            hub.agree(&ClientPublicKey::parse(&text).unwrap()).unwrap()
        });
        assert_eq!(compressed.session_key, uncompressed.session_key);
        assert_eq!(compressed.hub_public_key, uncompressed.hub_public_key);
        assert_eq!(base64url::decode(&compressed.hub_public_key).unwrap().len(), 65);
    }

    proptest! {
        #[test]
        fn both_ends_agree(ours in any::<[u8; 32]>(), theirs in any::<[u8; 32]>()) {
            let [hub, phone] = [ours, theirs].map(|private| IdentityKeys::new(&Secret::new(private), &Secret::new([9; 32])).unwrap());
            let at_hub = hub.agree(&ClientPublicKey::parse(&phone.x25519_public()).unwrap()).unwrap();
            let shared = phone.x25519.diffie_hellman(&hub.x25519_public);
            let at_phone = derive(shared.as_bytes(), hub.x25519_public.as_bytes(), phone.x25519_public.as_bytes());
            prop_assert_eq!(at_hub.session_key, at_phone);
        }

        #[test]
        fn no_text_panics(text in ".{0,100}") {
            let _ = ClientPublicKey::parse(&text);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..70), first in 0_u8..8) {
            let mut bytes = bytes;
            if let Some(byte) = bytes.first_mut() {
                *byte = first;
            }
            if let Ok(client) = ClientPublicKey::parse(&base64url::encode(&bytes)) {
                let _ = hub().agree(&client);
            }
        }
    }
}
