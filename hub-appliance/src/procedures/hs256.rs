//! HMAC-SHA256 for jsonwebtoken (RFC 7518, section 3.2), by the `hmac` and `sha2` crates that the hub uses anyway.
//!
//! The library's own set of algorithms brings RSA, Ed25519 and P-384, none of which the hub has a use for.

use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use sha2::Sha256;
use signature::{Error, Signer, Verifier};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| Ok(Box::new(Hs256::for_signing(*algorithm, key)?)),
    verifier_factory: |algorithm, key| Ok(Box::new(Hs256::for_checking(*algorithm, key)?)),
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes HS256 the one algorithm of the process's tokens; once is enough, more do no harm.
pub(super) fn install() {
    let _ = PROVIDER.install_default();
}

/// One key, ready to sign or check.
struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn for_signing(algorithm: Algorithm, key: &EncodingKey) -> Result<Self> {
        Self::new(algorithm, key.as_bytes())
    }

    fn for_checking(algorithm: Algorithm, key: &DecodingKey) -> Result<Self> {
        Self::new(algorithm, key.try_get_as_bytes()?)
    }

    fn new(algorithm: Algorithm, key: &[u8]) -> Result<Self> {
        if algorithm != Algorithm::HS256 {
            return Err(ErrorKind::InvalidAlgorithm.into());
        }
        Hmac::new_from_slice(key)
            .map(Self)
            .map_err(|_| ErrorKind::InvalidKeyFormat.into())
    }

    fn over(&self, message: &[u8]) -> Hmac<Sha256> {
        self.0.clone().chain_update(message)
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        Ok(self.over(message).finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        self.over(message).verify_slice(signature).map_err(Error::from_source)
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Header, Validation, decode, encode};
    use serde_json::{Value, json};

    use super::*;

    /// The example of RFC 7515, appendix A.1, with its key.
    #[test]
    fn signs_as_the_rfc_does() {
        install();
        let key = [
            0x03, 0x23, 0x35, 0x4b, 0x2b, 0x0f, 0xa5, 0xbc, 0x83, 0x7e, 0x06, 0x65, 0x77, 0x7b, 0xa6, 0x8f, 0x5a, 0xb3,
            0x28, 0xe6, 0xf0, 0x54, 0xc9, 0x28, 0xa9, 0x0f, 0x84, 0xb2, 0xd2, 0x50, 0x2e, 0xbf, 0xd3, 0xfb, 0x5a, 0x92,
            0xd2, 0x06, 0x47, 0xef, 0x96, 0x8a, 0xb4, 0xc3, 0x77, 0x62, 0x3d, 0x22, 0x3d, 0x2e, 0x21, 0x72, 0x05, 0x2e,
            0x4f, 0x08, 0xc0, 0xcd, 0x9a, 0xf5, 0x67, 0xd0, 0x80, 0xa3,
        ];
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt\
                     cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_exp = false;
        let claims: Value = decode(token, &DecodingKey::from_secret(&key), &validation)
            .unwrap()
            .claims;
        assert_eq!(claims["iss"], "joe");
        let forged = token.replace("dBjft", "eBjft");
        assert!(decode::<Value>(forged, &DecodingKey::from_secret(&key), &validation).is_err());
    }

    #[test]
    fn takes_no_other_algorithm() {
        install();
        let key = EncodingKey::from_secret(&[1; 32]);
        assert!(encode(&Header::new(Algorithm::HS512), &json!({}), &key).is_err());
        let unsigned = "eyJhbGciOiJub25lIn0.e30.";
        let validation = Validation::new(Algorithm::HS256);
        assert!(decode::<Value>(unsigned, &DecodingKey::from_secret(&[1; 32]), &validation).is_err());
    }
}
