//! Tokens: HS256 JWTs made and checked only by the hub, each backed by a record that can end it earlier.
//!
//! The shipping app never renews a token, so what limits it day by day is not `exp` but the record: an idle limit, the
//! device it was issued to, and the user's password and permission (protocol, "Token").

use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Caller, ProcedureError, Procedures, Session, hs256};
use crate::clock::HubTime;
use crate::secret::{Secret, SecretText};
use crate::store::new_id;
use crate::store::people::User;
use crate::store::tokens::TokenRecord;

const AUDIENCE: &str = "hub-rpc";
/// A token that is longer is none of ours.
const MAX_LENGTH: usize = 2048;

/// Bytes of a key's name: enough to tell two keys apart.
const NAME_LEN: usize = 8;

/// How long tokens live.
#[derive(Clone, Copy, Debug)]
pub struct TokenPolicy {
    /// The outer limit, in days: 1 to 30.
    pub days: u8,
    /// The limit without a call, in hours: 1 to 72.
    pub idle_hours: u8,
}

impl Default for TokenPolicy {
    fn default() -> Self {
        Self {
            days: 7,
            idle_hours: 24,
        }
    }
}

impl TokenPolicy {
    fn life_ms(self) -> i64 {
        i64::from(self.days.clamp(1, 30)) * 24 * 60 * 60 * 1000
    }

    fn idle_ms(self) -> i64 {
        i64::from(self.idle_hours.clamp(1, 72)) * 60 * 60 * 1000
    }
}

/// The keys that sign and check tokens: the current one, and the one before it while its tokens live. A token names the key
/// that signed it (`kid`, RFC 7515, section 4.1.4); those of older firmware name none.
pub struct TokenKeys {
    issuer: String,
    keys: ArcSwap<Keys>,
}

struct Keys {
    signing: EncodingKey,
    /// By their names, that of the one that signs first.
    checking: Vec<(String, DecodingKey)>,
}

impl Keys {
    fn new(current: &Secret<32>, previous: Option<&Secret<32>>) -> Self {
        let named = |key: &Secret<32>| (name(key), DecodingKey::from_secret(key.expose()));
        Self {
            signing: EncodingKey::from_secret(current.expose()),
            checking: std::iter::once(current).chain(previous).map(named).collect(),
        }
    }
}

/// The public name of a key: tells which of the hub's it is, and nothing about it. What is signed for it is no token: these
/// have no spaces.
fn name(key: &Secret<32>) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose()).expect("HMAC takes keys of any length");
    mac.update(b"hub token key name v1");
    BASE64_URL_SAFE_NO_PAD.encode(&mac.finalize().into_bytes()[..NAME_LEN])
}

impl TokenKeys {
    /// Keys of the hub with this id.
    #[must_use]
    pub fn new(hub_id: &str, current: &Secret<32>, previous: Option<&Secret<32>>) -> Self {
        hs256::install();
        Self {
            issuer: format!("hub:{hub_id}"),
            keys: ArcSwap::from_pointee(Keys::new(current, previous)),
        }
    }

    /// Works with these from now on.
    pub fn replace(&self, current: &Secret<32>, previous: Option<&Secret<32>>) {
        self.keys.store(Arc::new(Keys::new(current, previous)));
    }

    fn sign(&self, claims: &Claims) -> Result<SecretText, ProcedureError> {
        let keys = self.keys.load();
        let mut header = Header::new(Algorithm::HS256);
        header.kid = keys.checking.first().map(|(name, _)| name.clone());
        encode(&header, claims, &keys.signing)
            .map(SecretText::new)
            .map_err(|_| ProcedureError::Unavailable)
    }

    fn check(&self, token: &str) -> Option<Claims> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[AUDIENCE]);
        // Times are compared with the hub clock, not with the system's.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let named = decode_header(token).ok()?.kid;
        let keys = self.keys.load();
        keys.checking
            .iter()
            .filter(|(name, _)| named.as_ref().is_none_or(|named| named == name))
            .find_map(|(_, key)| decode(token, key, &validation).ok())
            .map(|data| data.claims)
    }
}

/// The claims of a token; times in seconds (RFC 7519, section 2).
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    clinic_id: String,
    role: String,
    jti: String,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// What a password is known by in a token's record: SHA-256 of its bcrypt hash.
fn password_digest(user: &User) -> [u8; 32] {
    Sha256::digest(user.password_hash.expose()).into()
}

impl Procedures {
    /// Makes a token for a user who has just shown the password. The record still has to be stored.
    pub(super) fn issue(
        &self,
        caller: &Caller,
        user: &User,
        clinic: &str,
        now: HubTime,
    ) -> Result<(SecretText, TokenRecord), ProcedureError> {
        let expires_at = now.plus_millis(self.policy.life_ms());
        let jti = new_id(now).to_string();
        let token = self.keys.sign(&Claims {
            iss: self.keys.issuer.clone(),
            aud: AUDIENCE.into(),
            sub: user.id.clone(),
            clinic_id: clinic.into(),
            role: user.role.clone(),
            jti: jti.clone(),
            iat: now.millis() / 1000,
            nbf: now.millis() / 1000,
            exp: expires_at.millis() / 1000,
        })?;
        let record = TokenRecord {
            jti,
            user: user.id.clone(),
            device: caller.device,
            password_digest: password_digest(user),
            issued_at: now,
            expires_at,
            used_at: self.store.clock().run_time(),
        };
        Ok((token, record))
    }

    /// Checks a token: signature, times, device, password, user and permission.
    pub(super) fn session(&self, caller: &Caller, token: Option<&SecretText>) -> Result<Session, ProcedureError> {
        let token = token.map(SecretText::expose).filter(|token| token.len() <= MAX_LENGTH);
        let claims = token
            .and_then(|token| self.keys.check(token))
            .ok_or(ProcedureError::TokenRefused)?;
        let record = self.tokens.find(&claims.jti).ok_or(ProcedureError::TokenRefused)?;
        let now = self.store.clock().peek();
        let run = self.store.clock().run_time();
        if record.user != claims.sub
            || record.device != caller.device
            || now >= record.expires_at
            || now.millis() / 1000 < claims.nbf
            || run.since(record.used_at) >= self.policy.idle_ms()
        {
            return Err(ProcedureError::TokenRefused);
        }
        let (user, rights) = self.store.read(|snapshot| {
            let user = snapshot.user(&claims.sub)?.ok_or(ProcedureError::TokenRefused)?;
            if !bool::from(password_digest(&user).ct_eq(&record.password_digest)) {
                return Err(ProcedureError::TokenRefused);
            }
            let rights = snapshot.rights(&user.id)?;
            Ok((user, rights))
        })?;
        if !rights.iter().any(|(clinic, _)| *clinic == claims.clinic_id) {
            return Err(ProcedureError::TokenRefused);
        }
        self.tokens.used(&claims.jti, run)?;
        Ok(Session {
            user,
            jti: claims.jti,
            rights,
        })
    }
}

#[cfg(test)]
mod tests;
