//! `guichet journal`: whether the journal's log is what it was, and proofs from it for whoever wants to check without us.
//!
//! Whom to believe lies in a folder: `journal.pub`, the key of the log, and `witness.pub`, that of its witness; beside them,
//! where the witness itself keeps them, `witness.note`, the last head that it cosigned. What a server says of its own keys
//! is not believed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use aaa::Directory;
use clap::{Args, Subcommand};
use contracts::journal::{self as contract, GetLogProof};
use journal::{AuditError, EventKeys, SetAside};
use serde::Serialize;
use store::{Store, Tables};
use tlog::{Document, Opened, Shown, Trust, VerifierKey};
use vocabulary::{Clock, EventId};

use crate::cli::Place;
use crate::journal_erase::{self, Erase, Keep};
use crate::settings::Settings;
use crate::status::token;
use crate::{Failure, say, say_json};

const LOG_KEY: &str = "journal.pub";
const WITNESS_KEY: &str = "witness.pub";
const REMEMBERED: &str = "witness.note";
/// Longest wait for an answer of the bank.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

#[derive(Subcommand)]
pub(crate) enum Journal {
    /// Walk the log in the journal's database, and name the first entry that is not what it was
    #[command(after_help = "\
Examples:
  guichet journal verify                               the bank that `guichet up` runs here
  guichet journal verify --trust /mnt/keys             by keys that were kept elsewhere
  guichet journal verify --since last-month.note       only what came after a head that was kept
  guichet journal verify --trust /var/lib/guichet/monitor --database 'postgres://journal@db:5432/guichet_{service}?…'

It ends with 1 when anything was altered. Only a key that was kept elsewhere tells a history that was written anew.")]
    Verify(Verify),
    /// Fetch the proof that an entry stands in the journal, for a file
    #[command(after_help = "\
Example:
  guichet journal proof 01975d4e-… --token-file token.txt > proof.json

It shows of the entry what the token's owner may see, and proves the rest without showing it.")]
    Proof(Proof),
    /// Check a proof from a file; no server is asked
    #[command(after_help = "\
Example:
  guichet journal check proof.json --trust /mnt/keys

The folder holds journal.pub and witness.pub, as they lie in the folder of the bank's monitor.")]
    Check(Check),
    /// Show what came over the broker and could not be used
    #[command(after_help = "\
Examples:
  guichet journal quarantine --database 'postgres://journal@db:5432/guichet_{service}?…'
  guichet journal quarantine --json --remove > looked-at.json

The journal's truth `no message had to be set aside` holds again once what was lost was looked at and removed.")]
    Quarantine(Quarantine),
    /// Erase what the journal says of somebody; proofs and the log hold
    #[command(after_help = "\
Examples:
  guichet journal erase basile --reason 'left the bank'          only tells how many entries it would be
  guichet journal erase basile --reason 'left the bank' --yes

It works on the journal's database, also while the bank runs, and is told to the journal. `verify` says how many entries are
erased. What the person did to others stays unless --acted-on-others is said: it tells of those others. A file of the database
may hold what was erased until its pages are written again, and copies of it hold it as long as they exist.")]
    Erase(Erase),
    /// Show or set after how many days contents are erased; never, unless somebody says so
    #[command(after_help = "\
Examples:
  guichet journal keep                shows it
  guichet journal keep --days 3650    erases, each day, what is older than ten years
  guichet journal keep --for-ever

It stands in the journal's database, so every instance goes by it. When and what kind of thing happened stays; proofs hold.")]
    Keep(Keep),
    /// Make the next key for events on their way; a journal that runs takes it up by itself
    #[command(after_help = "\
Examples:
  guichet journal new-key --data-dir /var/lib/guichet/journal
  guichet journal new-key --data-dir guichet-data/journal

It runs as the journal's user, on one instance; copy the file that it names to the others. A former key can be taken away
when every source has told something since.")]
    NewKey(NewKey),
}

#[derive(Args)]
pub(crate) struct Quarantine {
    #[command(flatten)]
    place: Place,
    /// Remove what is shown
    #[arg(long)]
    remove: bool,
    /// As JSON, with the bytes of each message in hexadecimal
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct NewKey {
    /// The journal's folder
    #[arg(long, value_name = "DIR", env = "GUICHET_DATA_DIR")]
    data_dir: PathBuf,
}

#[derive(Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    place: Place,
    /// The folder with the keys to believe [default: the data directory]
    #[arg(long, value_name = "DIR")]
    trust: Option<PathBuf>,
    /// Only what came after this head, a file with the note of one
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Proof {
    /// The entry's id, as the journal shows it
    id: EventId,
    /// Where the bank is
    #[arg(long, value_name = "URL", default_value = "https://localhost:8443")]
    url: String,
    /// The certificate of the authority to trust there
    #[arg(long, value_name = "FILE", default_value = "guichet-data/tls/ca.pem")]
    ca: PathBuf,
    /// A file with a personal token on its first line, allowed to read
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
}

#[derive(Args)]
pub(crate) struct Check {
    /// The proof
    #[arg(value_name = "FILE")]
    proof: PathBuf,
    /// The folder with the keys to believe
    #[arg(long, value_name = "DIR", default_value = "guichet-data")]
    trust: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(command: Journal) -> Result<(), Failure> {
    match command {
        Journal::Verify(arguments) => verify(arguments).await,
        Journal::Proof(arguments) => proof(arguments).await,
        Journal::Check(arguments) => check(&arguments),
        Journal::Erase(arguments) => journal_erase::erase(arguments).await,
        Journal::Keep(arguments) => journal_erase::keep(arguments).await,
        Journal::Quarantine(arguments) => quarantine(&arguments).await,
        Journal::NewKey(arguments) => new_key(&arguments.data_dir),
    }
}

/// Whom to believe.
struct Believed {
    log: VerifierKey,
    witness: VerifierKey,
    /// The last head that the witness cosigned, where it lies there.
    remembered: Option<String>,
}

impl Believed {
    fn read(folder: &Path) -> Result<Self, Failure> {
        let text = |name: &str| {
            std::fs::read_to_string(folder.join(name)).map_err(|error| {
                Failure::Settings(format!(
                    "cannot read {}: {error}. Whom to believe lies in the folder that --trust names, as {LOG_KEY} and {WITNESS_KEY}: \
                     the data directory of the bank, or of its monitor, or a copy of these two",
                    folder.join(name).display()
                ))
            })
        };
        let key = |name: &str| -> Result<VerifierKey, Failure> {
            let wrong = |error: &dyn std::fmt::Display| {
                Failure::Settings(format!("{} is not a key: {error}", folder.join(name).display()))
            };
            text(name)?.trim().parse().map_err(|error: tlog::KeyError| wrong(&error))
        };
        let remembered = text(REMEMBERED).ok();
        Ok(Self { log: key(LOG_KEY)?, witness: key(WITNESS_KEY)?, remembered })
    }

    /// What needs so many cosignatures.
    fn trust(&self, required: usize) -> Result<Trust, Failure> {
        Trust::new(self.log.clone(), vec![self.witness.clone()], required)
            .map_err(|error| Failure::Settings(error.to_string()))
    }
}

/// What a walk found, for programs.
#[derive(Serialize)]
struct Verified {
    entries: u64,
    root: String,
    /// How many entries the newest head covers that the witness cosigned.
    cosigned: u64,
    /// Of how many entries the contents are erased.
    erased: u64,
}

async fn verify(arguments: Verify) -> Result<(), Failure> {
    let settings = Settings::of_place(&arguments.place)?;
    let believed = Believed::read(arguments.trust.as_deref().unwrap_or(&settings.log_dir))?;
    let (trust, cosigned) = (believed.trust(0)?, believed.trust(1)?);
    let open = |trust: &Trust, what: &str, note: &str| -> Result<Opened, Failure> {
        trust.open(note).map_err(|error| Failure::Refused(format!("{what}: {error}")))
    };
    let since = arguments.since.map(|path| {
        let note = std::fs::read_to_string(&path).map_err(|error| Failure::file("read", &path, &error))?;
        open(&trust, &path.display().to_string(), &note)
    });
    let since = since.transpose()?;
    let remembered = believed.remembered.as_deref().map(|note| open(&cosigned, REMEMBERED, note)).transpose()?;
    let store = opened(&settings).await?;
    let walked = journal::audit(&store, &trust, since.as_ref(), remembered.clone().into_iter().collect()).await;
    let walked = walked.map_err(|error| match error {
        AuditError::Store(error) => Failure::from(error),
        altered => Failure::Refused(format!("the journal is not what it was: {altered}")),
    })?;
    let newest = journal::cosigned(&store, &cosigned).await?.into_iter().chain(remembered);
    let Some(newest) = newest.map(|opened| opened.checkpoint.head.size).max() else {
        return Err(Failure::Refused(format!(
            "entries and tree agree, but no head of the log is cosigned by {}: nothing tells whether the whole of it was written anew",
            believed.witness
        )));
    };
    let found = Verified {
        entries: walked.head.size,
        root: walked.head.root.to_string(),
        cosigned: newest,
        erased: walked.erased,
    };
    if arguments.json {
        return say_json(&found);
    }
    let Verified { entries, root, cosigned, erased } = found;
    let begin = since.map_or(String::new(), |since| format!(", from {} on", since.checkpoint.head.size));
    let open = entries.saturating_sub(cosigned);
    say(&format!(
        "{entries} entries{begin}, all as they were appended; the first {cosigned} are cosigned by the witness{}{}\nroot {root}\n",
        if open == 0 { String::new() } else { format!(", {open} came since") },
        if erased == 0 { String::new() } else { format!("; what {erased} of them said was erased") }
    ))
}

/// The journal's database, as it is: not made, and not brought up to date.
pub(crate) async fn opened(settings: &Settings) -> Result<Store, Failure> {
    let database = settings.databases.of(contract::SERVICE)?;
    if store::inspect(&database, journal::MIGRATIONS, &Clock::system()).await?.tables != Tables::Current {
        return Err(Failure::Settings(
            "the journal's database is not there, or older than this program: start the bank with it first".into(),
        ));
    }
    Ok(Store::open(&database, journal::MIGRATIONS, Clock::system()).await?)
}

async fn quarantine(arguments: &Quarantine) -> Result<(), Failure> {
    let store = opened(&Settings::of_place(&arguments.place)?).await?;
    let messages = journal::set_aside(&store).await?;
    if arguments.json {
        let written = |it: &SetAside| {
            serde_json::json!({
                "source": it.source, "seq": it.seq, "event_id": it.event_id, "subject": it.subject,
                "first_at": it.first_at, "times": it.times, "why": it.why, "lost": it.is_lost(), "bytes": hex::encode(&it.bytes),
            })
        };
        say_json(&messages.iter().map(written).collect::<Vec<_>>())?;
    } else {
        let lines: String = messages.iter().map(line).collect();
        say(if lines.is_empty() { "Nothing is set aside.\n" } else { &lines })?;
    }
    if arguments.remove {
        journal::forget_set_aside(&store, &messages).await?;
    }
    Ok(())
}

fn line(it: &SetAside) -> String {
    let number = it.seq.map_or("no number".to_owned(), |seq| format!("event {seq}"));
    format!(
        "{} {} of {}, {} bytes under {}, {} times: {}{}\n",
        it.first_at,
        number,
        it.source.escape_debug(),
        it.bytes.len(),
        it.subject.escape_debug(),
        it.times,
        it.why.escape_debug(),
        if it.is_lost() { "; LOST" } else { "; a better copy was asked for" }
    )
}

fn new_key(folder: &Path) -> Result<(), Failure> {
    let made = EventKeys::in_folder(folder).make_next();
    let (path, id) = made.map_err(|error| Failure::Settings(error.to_string()))?;
    say(&format!(
        "{} holds the key {id}. A journal that runs here takes it up within seconds, and sources within a minute; copy it to every \
         other instance of the journal.\n",
        path.display()
    ))
}

async fn proof(arguments: Proof) -> Result<(), Failure> {
    let Proof { id, url, ca, token_file } = arguments;
    let roots = std::fs::read_to_string(&ca).map_err(|error| Failure::file("read", &ca, &error))?;
    let token = token(&token_file)?;
    let way = chassis::reach(&url, Some(&roots), &Clock::system());
    let directory = Directory::default();
    directory.set(contract::SERVICE, way.map_err(|error| Failure::Settings(error.to_string()))?);
    let caller = directory.caller().within(PATIENCE).with_token(token.as_str());
    let proof = caller
        .call(GetLogProof { id })
        .await
        .map_err(|problem| Failure::Refused(format!("no proof: {}", problem.sentence())))?;
    say_json(&proof)
}

fn check(arguments: &Check) -> Result<(), Failure> {
    let trust = Believed::read(&arguments.trust)?.trust(1)?;
    let path = &arguments.proof;
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?;
    let refused = |error: tlog::DocumentError| Failure::Refused(format!("{} proves nothing: {error}", path.display()));
    let document = Document::read(&text).map_err(refused)?;
    let report = document.check(&trust).map_err(refused)?;
    if arguments.json {
        let fields: std::collections::BTreeMap<_, _> = report
            .fields
            .iter()
            .map(|(name, shown)| match shown {
                Shown::Readable(text) | Shown::Opened(text) => (*name, Some(*text)),
                Shown::Erased => (*name, None),
            })
            .collect();
        return say_json(&serde_json::json!({ "index": report.index, "size": report.size, "fields": fields }));
    }
    let mut told = format!(
        "{} holds: this entry is number {} of {} in the log {}.\n",
        path.display(),
        report.index.saturating_add(1),
        report.size,
        report.origin
    );
    for witness in &report.cosigned {
        let _ = writeln!(told, "cosigned by {} on {}", witness.witness, witness.at);
    }
    for (name, shown) in &report.fields {
        let _ = match shown {
            Shown::Readable(text) | Shown::Opened(text) => writeln!(told, "  {name:9} {}", text.escape_debug()),
            Shown::Erased => writeln!(told, "  {name:9} (not shown)"),
        };
    }
    say(&told)
}
