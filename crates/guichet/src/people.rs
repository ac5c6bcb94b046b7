//! Identity opened for one command: with the whole bank around it, or alone where the services stand apart.
//!
//! Promises: nobody else runs on the same data directory meanwhile; what is told goes to the journal, at the latest when
//! identity next runs.

use identity::Identity;
use vocabulary::{Chance, Clock};

use crate::cli::{NodeArguments, PeoplePlace, ServiceName};
use crate::data_dir::{self, Lock};
use crate::house::{House, signing_key};
use crate::node::Node;
use crate::rooms::{self, Ground, Room};
use crate::settings::Settings;
use crate::telling::Telling;
use crate::{Failure, up};

/// Identity, and what it stands on.
pub(crate) struct People {
    around: Around,
    _lock: Lock,
}

enum Around {
    Bank(Box<House>),
    Nothing(Box<Room<Identity>>),
}

impl People {
    pub(crate) async fn open(place: &PeoplePlace) -> Result<Self, Failure> {
        let (clock, chance) = (Clock::system(), Chance::system());
        let Some(file) = &place.identity else {
            let settings = Settings::of_place(&place.place)?;
            let lock = data_dir::take(&settings.data_dir)?;
            let house = House::open(up::plan(&settings, clock, chance)?).await?;
            return Ok(Self { around: Around::Bank(Box::new(house)), _lock: lock });
        };
        let node = Node::of(&NodeArguments {
            service: ServiceName::Identity,
            config: Some(file.clone()),
            data_dir: None,
            database: None,
            listen: None,
            certificates: None,
            pki_dir: None,
            origin: None,
            proxies: None,
            peer: Vec::new(),
            nats: Vec::new(),
        })?;
        let lock = data_dir::take(&node.data_dir)?;
        let ground = Ground::new(clock, chance, 0, node.origin.clone());
        // It knows no way to the journal, so that events stay where they are until identity runs.
        Telling::by_call(&ground.directory).join(&ground.bus);
        let room =
            rooms::identity(&ground, &node.database()?, &signing_key(&node.data_dir), node.mail.as_ref()).await?;
        Ok(Self { around: Around::Nothing(Box::new(room)), _lock: lock })
    }

    pub(crate) fn identity(&self) -> &Identity {
        match &self.around {
            Around::Bank(house) => &house.identity,
            Around::Nothing(room) => &room.service,
        }
    }

    pub(crate) async fn close(self) {
        match self.around {
            Around::Bank(house) => house.close().await,
            Around::Nothing(room) => room.audit.flush().await,
        }
    }
}
