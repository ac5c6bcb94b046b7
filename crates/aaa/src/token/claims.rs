//! What access tokens say: as this layer writes it, and as much of it as other issuers may leave out.

use serde::{Deserialize, Serialize};
use vocabulary::{SessionId, Timestamp};

use super::Refusal;
use crate::principal::{Principal, id_of};

/// What an access token says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// For which services.
    pub aud: String,
    /// The person: their id.
    pub sub: String,
    /// End, in seconds since the epoch.
    pub exp: i64,
    /// Beginning, in seconds since the epoch.
    pub nbf: i64,
    /// When it was issued, in seconds since the epoch.
    pub iat: i64,
    /// Identifies the token.
    pub jti: String,
    /// The session it belongs to.
    pub sid: SessionId,
    /// The name the person signs in with.
    pub login: String,
    /// The person's name.
    pub name: String,
    /// Their groups.
    pub groups: Vec<String>,
    /// What the token is good for, separated by spaces; absent: the person's whole authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// When the person last proved who they are, in seconds since the epoch.
    pub auth_time: i64,
    /// How they proved it (RFC 8176); `mfa` when by more than one factor.
    pub amr: Vec<String>,
    /// The key that the token is bound to, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
}

/// The key that a bound token is good with, and only with it (RFC 7800, RFC 9449).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// The thumbprint of the client's public key (RFC 7638).
    pub jkt: String,
}

/// The method that [`Claims::amr`] names when there was more than one factor (RFC 8176).
const MORE_THAN_ONE_FACTOR: &str = "mfa";

impl Claims {
    /// What a token of `issuer` for `audience` says of this principal.
    pub(super) fn of(who: &Principal, issuer: &str, audience: &str) -> Self {
        Self {
            iss: issuer.into(),
            aud: audience.into(),
            sub: who.id.to_string(),
            exp: who.expires.seconds(),
            nbf: who.issued.seconds(),
            iat: who.issued.seconds(),
            jti: who.token.clone().unwrap_or_default(),
            sid: who.session,
            login: who.login.clone(),
            name: who.name.clone(),
            groups: who.groups.clone(),
            scope: who.scopes.as_ref().map(|scopes| scopes.join(" ")),
            auth_time: who.authenticated.seconds(),
            amr: if who.second_factor { vec![MORE_THAN_ONE_FACTOR.into()] } else { Vec::new() },
            cnf: who.bound_to.clone().map(|jkt| Confirmation { jkt }),
        }
    }
}

impl TryFrom<Claims> for Principal {
    type Error = Refusal;
    fn try_from(claims: Claims) -> Result<Self, Refusal> {
        Ok(Self {
            id: claims.sub.parse().map_err(|_| Refusal::Invalid)?,
            login: claims.login,
            name: claims.name,
            groups: claims.groups,
            scopes: claims.scope.as_deref().map(scopes),
            session: claims.sid,
            issued: Timestamp::from_seconds(claims.iat),
            expires: Timestamp::from_seconds(claims.exp),
            authenticated: Timestamp::from_seconds(claims.auth_time),
            second_factor: claims.amr.iter().any(|method| method == MORE_THAN_ONE_FACTOR),
            token: Some(claims.jti),
            bound_to: claims.cnf.map(|confirmation| confirmation.jkt),
        })
    }
}

/// What tokens of other issuers say: only who, for whom, by whom and until when is certain.
#[derive(Deserialize)]
pub(super) struct OthersClaims {
    iss: String,
    aud: String,
    sub: String,
    exp: i64,
    nbf: Option<i64>,
    iat: Option<i64>,
    jti: Option<String>,
    sid: Option<SessionId>,
    login: Option<String>,
    name: Option<String>,
    #[serde(default)]
    groups: Vec<String>,
    scope: Option<String>,
    auth_time: Option<i64>,
    #[serde(default)]
    amr: Vec<String>,
    cnf: Option<Confirmation>,
}

impl OthersClaims {
    /// With what is missing filled in, always to the token's disadvantage: one of unknown age is old.
    pub(super) fn completed(self) -> Result<Claims, Refusal> {
        // Who says a login beside the subject writes as this layer does: the subject is an id. Otherwise it is the login,
        // whatever it looks like; it must not be able to pass for somebody's id.
        let (sub, login) = match self.login {
            Some(login) => (self.sub, login),
            None if self.sub.is_empty() => return Err(Refusal::Invalid),
            None => (id_of(&self.sub).to_string(), self.sub),
        };
        Ok(Claims {
            sub,
            name: self.name.unwrap_or_else(|| login.clone()),
            login,
            iss: self.iss,
            aud: self.aud,
            exp: self.exp,
            nbf: self.nbf.unwrap_or(0),
            iat: self.iat.or(self.nbf).unwrap_or(0),
            jti: self.jti.unwrap_or_default(),
            sid: self.sid.unwrap_or(Principal::NOBODY.session),
            groups: self.groups,
            scope: self.scope,
            auth_time: self.auth_time.unwrap_or(0),
            amr: self.amr,
            cnf: self.cnf,
        })
    }
}

fn scopes(scope: &str) -> Vec<String> {
    scope.split_ascii_whitespace().map(str::to_owned).collect()
}
