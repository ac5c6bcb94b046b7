//! Whether somebody is there at all: a connection, or a handshake.

use contracts::monitor::CheckSpec;
use vocabulary::Timestamp;

use super::place::Spot;
use super::{Failure, secure};
use crate::addresses::{Reach, connected};
use crate::check::Fault;
use crate::condition::Facts;
use crate::secure::Secure;

/// A connection.
pub(super) struct Tcp {
    spot: Spot,
    reach: Reach,
}

impl Tcp {
    pub(super) fn new(spec: &CheckSpec, reach: Reach) -> Result<Self, Vec<Fault>> {
        let spot = Spot::read(&spec.target, None, reach).map_err(|fault| vec![fault])?;
        Ok(Self { spot, reach })
    }

    pub(super) async fn run(&self) -> Result<(), Failure> {
        connected(&self.spot.host, self.spot.port, self.reach).await?;
        Ok(())
    }
}

/// A handshake. Under TLS 1.3 a server that asks for our certificate says only afterwards whether it takes it: that is not
/// waited for.
pub(super) struct Tls {
    spot: Spot,
    reach: Reach,
    secure: Secure,
}

impl Tls {
    pub(super) fn new(spec: &CheckSpec, reach: Reach) -> Result<Self, Vec<Fault>> {
        let (spot, secure) = both(Spot::read(&spec.target, None, reach), secure(spec))?;
        Ok(Self { spot, reach, secure })
    }

    pub(super) async fn run(&self, facts: &mut Facts, now: Timestamp) -> Result<(), Failure> {
        let stream = connected(&self.spot.host, self.spot.port, self.reach).await?;
        self.secure.handshake(&self.spot.host, stream, facts, now).await?;
        Ok(())
    }
}

/// The faults of both.
pub(super) fn both<A, B>(one: Result<A, Fault>, other: Result<B, Vec<Fault>>) -> Result<(A, B), Vec<Fault>> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(fault), Ok(_)) => Err(vec![fault]),
        (Ok(_), Err(faults)) => Err(faults),
        (Err(fault), Err(mut faults)) => {
            faults.insert(0, fault);
            Err(faults)
        }
    }
}
