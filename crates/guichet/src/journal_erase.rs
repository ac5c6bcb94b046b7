//! `guichet journal erase` and `keep`: contents of the journal go, of one person or of everybody after a while.
//!
//! It takes hands on the journal's database, and no token: nobody erases from afar what would tell of them.

use clap::Args;
use journal::{Erased, Erasure, Journal};
use store::Store;
use vocabulary::{Chance, Login, UserId};
use zeroize::Zeroizing;

use crate::cli::Place;
use crate::journal_log::opened;
use crate::settings::Settings;
use crate::{Failure, say, say_json};

#[derive(Args)]
pub(crate) struct Erase {
    /// Who: an id, or a login
    user: String,
    /// Why; it stands in the journal, and names nobody better
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Also what they did to others: an agent's decisions, what somebody else got from them
    #[arg(long)]
    acted_on_others: bool,
    /// Do it; without this it is only told how many entries it would be
    #[arg(long)]
    yes: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
pub(crate) struct Keep {
    /// Erase contents after so many days
    #[arg(long, value_name = "DAYS", conflicts_with = "for_ever", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: Option<u32>,
    /// Never erase them (as it is unless somebody says otherwise)
    #[arg(long)]
    for_ever: bool,
    #[command(flatten)]
    place: Place,
}

/// The journal's database with nothing running over it. The key signs nothing here: whoever runs the journal signs.
fn journal(store: Store) -> Result<Journal, Failure> {
    let chance = Chance::system();
    let key = journal::log_key(Zeroizing::new(chance.bytes())).map_err(|error| Failure::Settings(error.to_string()))?;
    Ok(Journal::new(store, key, chance))
}

pub(crate) async fn erase(arguments: Erase) -> Result<(), Failure> {
    let journal = journal(opened(&Settings::of_place(&arguments.place)?).await?)?;
    let user = person(&journal, &arguments.user).await?;
    let erasure = Erasure { user, acted_on_others: arguments.acted_on_others, reason: arguments.reason };
    if !arguments.yes {
        let entries = journal.would_erase(&erasure).await?;
        if arguments.json {
            return say_json(&serde_json::json!({ "user": user.to_string(), "would_erase": entries }));
        }
        return say(&format!(
            "{entries} entries would say nothing any more, for ever. Nothing was erased: say --yes to do it.\n"
        ));
    }
    let Erased { entries, left } = journal.erase(&erasure).await?;
    if arguments.json {
        return say_json(&serde_json::json!({ "user": user.to_string(), "erased": entries, "left": left }));
    }
    let left = match left {
        0 => String::new(),
        left => format!(
            " {left} more came so lately that the log's head was not signed over them: once the journal has run for a second, do it again."
        ),
    };
    say(&format!("{entries} entries say nothing any more; proofs and log hold.{left}\n"))
}

/// Whom the operator names. A login that several people had is not enough.
async fn person(journal: &Journal, named: &str) -> Result<UserId, Failure> {
    if let Ok(id) = named.parse() {
        return Ok(id);
    }
    let login: Login = named.parse().map_err(|error| {
        Failure::Settings(format!("`{}` is neither an id nor a login: it {error}", named.escape_debug()))
    })?;
    let people = journal.people_called(login.as_str()).await?;
    match people.as_slice() {
        [one] => Ok(*one),
        [] => Err(Failure::Refused(format!("the journal knows nobody called {login}"))),
        several => Err(Failure::Refused(format!(
            "several people were called {login}: name one by id, {}",
            several.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
        ))),
    }
}

pub(crate) async fn keep(arguments: Keep) -> Result<(), Failure> {
    let journal = journal(opened(&Settings::of_place(&arguments.place)?).await?)?;
    if arguments.days.is_some() || arguments.for_ever {
        journal.keep_days(arguments.days).await?;
    }
    say(&match journal.kept_days().await? {
        Some(days) => format!("Contents are erased after {days} days; proofs and log hold.\n"),
        None => "Contents are kept for ever.\n".to_owned(),
    })
}
