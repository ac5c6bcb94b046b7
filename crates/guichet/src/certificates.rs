//! `guichet pki`: an authority from its root to revocation, on the command line.
//!
//! Reads arguments and passphrases, prints results; every rule stands in the crate `pki`.

mod arguments;
mod keep;

use std::fmt::Write;
use std::io::Read;
use std::path::{Path, PathBuf};

use pki::files::{self, Readers};
use pki::{
    Bounds, Check, Folder, Identity, Member, Passphrase, PkiError, Plan, PrivateKey, Profile, Said, Shown,
    SigningRequest,
};
use serde::Serialize;
use vocabulary::{Chance, Clock};
use zeroize::Zeroizing;

use arguments::{Crl, Csr, Init, Renew, Revoke, Secret, Show, Sign, Token, Use, Verify};
pub(crate) use arguments::{Pki, life};

use crate::{Failure, remark, say, say_json};

/// A long revocation list, and more.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

pub(crate) async fn run(command: Pki) -> Result<(), Failure> {
    let (clock, chance) = (Clock::system(), Chance::system());
    match command {
        Pki::Init(arguments) => init(arguments, &clock, &chance),
        Pki::Csr(arguments) => csr(&arguments, &chance),
        Pki::Sign(arguments) => sign(arguments, &clock, &chance),
        Pki::Show(arguments) => show(&arguments, &clock),
        Pki::Verify(arguments) => verify(&arguments, &clock),
        Pki::Token(arguments) => token(arguments, &clock, &chance),
        Pki::Keep(arguments) => keep::run(arguments, clock, chance).await,
        Pki::Revoke(arguments) => revoke(&arguments, &clock, &chance),
        Pki::Crl(arguments) => crl(&arguments, &clock),
        Pki::Renew(arguments) => renew(&arguments, &clock, &chance),
    }
}

fn init(arguments: Init, clock: &Clock, chance: &Chance) -> Result<(), Failure> {
    let dir = &arguments.home.dir;
    let algorithm = arguments.algorithm.into();
    // Refused before anybody types a passphrase.
    if dir.join("root.pem").exists() {
        return Err(Failure::Settings(format!(
            "there is an authority in {} already: choose another folder with --dir, nothing is overwritten",
            dir.display()
        )));
    }
    let passphrase = new_passphrase(&arguments.secret, "Passphrase for the root's key: ")?;
    let root_key = match &arguments.from_key {
        None => PrivateKey::generate(algorithm)?,
        Some(path) => opened(path, || Ok(Passphrase::new(passphrase.clone())?))?,
    };
    let passphrase = Passphrase::new(passphrase)?;
    let plan = Plan {
        name: &arguments.name,
        root_key,
        intermediate_key: PrivateKey::generate(algorithm)?,
        passphrase: &passphrase,
        root_key_file: arguments.root_key.as_deref(),
        bounds: &Bounds::new(arguments.within)?,
    };
    let folder = Folder::init(dir, plan, clock, chance)?;
    let authority = folder.authority(clock)?;
    let kept = arguments.root_key.clone().unwrap_or_else(|| dir.join("root-key.pem"));
    say(&format!(
        "\
An authority named {name} stands in {dir}.

  {root}  is what everybody trusts
    SHA-256 {fingerprint}
  {key}  is the root's key, encrypted with your passphrase
  {between}  signs day by day; its key beside it is not encrypted

The root's key goes off this machine: move {key} to something you lock away, and keep the passphrase
elsewhere. It is needed again only to replace the intermediate, which is due on {renew}. The intermediate stays.
Back up this folder: index.json knows what was signed and revoked.
",
        name = arguments.name,
        dir = dir.display(),
        root = dir.join("root.pem").display(),
        fingerprint = authority.fingerprint(),
        key = kept.display(),
        between = dir.join("intermediate.pem").display(),
        renew = authority.life().renew_at().day(),
    ))
}

fn csr(arguments: &Csr, chance: &Chance) -> Result<(), Failure> {
    let stem = match &arguments.out {
        Some(stem) => stem.clone(),
        None if arguments.name.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c)) => {
            PathBuf::from(&arguments.name)
        }
        None => {
            return Err(Failure::Settings(
                "this name does not do for a file: say with --out what they begin with".into(),
            ));
        }
    };
    let (key_file, csr_file) = (with(&stem, "-key.pem"), with(&stem, "-csr.pem"));
    unused(&csr_file)?;
    let key = if let Some(path) = &arguments.key {
        opened(path, || old_passphrase(&arguments.secret, path))?
    } else {
        unused(&key_file)?;
        PrivateKey::generate(arguments.algorithm.into())?
    };
    let request = SigningRequest::make(&key, &arguments.name, &arguments.san)?;
    let mut told = String::new();
    if arguments.key.is_none() {
        let text = if arguments.encrypt {
            let words = new_passphrase(&arguments.secret, "Passphrase for the new key: ")?;
            Zeroizing::new(key.encrypted_pem(&Passphrase::new(words)?, chance)?)
        } else {
            key.pem()
        };
        files::create(&key_file, &text, Readers::Owner)?;
        let _ =
            writeln!(told, "{}  is the private key ({}): it never leaves this machine", key_file.display(), key.kind());
    }
    files::create(&csr_file, &request, Readers::Everyone)?;
    let _ = writeln!(told, "{}  is the request: have it signed with `guichet pki sign`", csr_file.display());
    say(&told)
}

fn sign(arguments: Sign, clock: &Clock, chance: &Chance) -> Result<(), Failure> {
    let out = match &arguments.out {
        Some(out) => out.clone(),
        None => beside(&arguments.request, "-csr.pem", ".pem").ok_or_else(|| {
            Failure::Settings(
                "say with --out where the certificate is written: the request is not named X-csr.pem".into(),
            )
        })?,
    };
    unused(&out)?;
    let Some(name) = arguments.name.or_else(|| arguments.san.first().cloned()) else {
        return Err(Failure::Settings("say whose it is with --name, or at least one --san".into()));
    };
    let asked = SigningRequest::read(&text(&arguments.request)?)?;
    let mut request = Profile::from(arguments.profile).request(&name, arguments.san);
    request.life = arguments.life.unwrap_or(request.life);
    let mut folder = Folder::open(&arguments.home.dir)?;
    let signed = folder.sign(&asked, &request, clock, chance)?;
    asked.remarks().iter().for_each(|said| remark(said));
    files::create(&out, &signed, Readers::Everyone)?;
    let Some(entry) = folder.issued().last() else { return Ok(()) };
    say(&format!(
        "{}  is the certificate of {} until {}, serial number {}\n",
        out.display(),
        entry.common_name,
        entry.until,
        entry.serial
    ))
}

fn show(arguments: &Show, clock: &Clock) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct File<'a> {
        file: &'a Path,
        sections: Vec<Shown>,
    }
    let passphrase = match &arguments.secret.passphrase_file {
        Some(path) => Some(Passphrase::new(from_file(path)?)?),
        None => None,
    };
    let mut shown = Vec::new();
    for path in &arguments.files {
        let sections = pki::show(&text(path)?, passphrase.as_ref(), clock.now());
        shown.push(File { file: path, sections: sections.map_err(|error| about(path, &error))? });
    }
    if arguments.json {
        return say_json(&shown);
    }
    let mut told = String::new();
    for File { file, sections } in shown {
        for section in sections {
            let _ = write!(told, "{}: {section}", file.display());
        }
    }
    say(&told)
}

fn verify(arguments: &Verify, clock: &Clock) -> Result<(), Failure> {
    let dir = &arguments.home.dir;
    let roots = match &arguments.ca {
        Some(path) => text(path)?,
        None if dir.join("root.pem").exists() => text(&dir.join("root.pem"))?,
        None => {
            return Err(Failure::Settings(format!(
                "there is no authority in {}: say with --ca which certificate is trusted, or name its folder with --dir",
                dir.display()
            )));
        }
    };
    let lists = match (&arguments.crl, &arguments.ca) {
        (Some(path), _) => Some(text(path)?),
        (None, None) => Some(text(&dir.join("crl.pem"))?),
        (None, Some(_)) => None,
    };
    let check = Check {
        roots: &roots,
        lists: lists.as_deref(),
        server_name: arguments.server_name.as_deref(),
        server: arguments.usage == Some(Use::Server),
        client: arguments.usage == Some(Use::Client),
        at: arguments.at.unwrap_or_else(|| clock.now()),
    };
    let file = arguments.certificate.display();
    pki::verify(&text(&arguments.certificate)?, &check).map_err(|error| match error {
        PkiError::Unfit(why) => Failure::Refused(format!("{file} is not believed: {why}")),
        other => other.into(),
    })?;
    let unlooked =
        if lists.is_none() { " Whether it was revoked was not looked at: give the list with --crl." } else { "" };
    say(&format!("{file} is believed.{unlooked}\n"))
}

fn token(arguments: Token, clock: &Clock, chance: &Chance) -> Result<(), Failure> {
    let some = |names: Vec<String>| (!names.is_empty()).then_some(names);
    let said = Said { names: some(arguments.san), https: some(arguments.https), life: arguments.life };
    let mut folder = Folder::open(&arguments.home.dir)?;
    let member = folder.member(&arguments.service, said);
    let token = folder.invite(&member, &arguments.authority, arguments.ttl, clock, chance)?;
    // Alone on its line, for pipes and files; what else is to be said goes elsewhere.
    say(&format!("{}\n", token.expose().as_str()))?;
    remark(&format!(
        "{} may join with it, once, until {}: guichet serve {} --join TOKEN",
        member.name,
        clock.now().plus(arguments.ttl),
        member.name
    ));
    remark(&registered(&member));
    Ok(())
}

/// What certificates of a member will say, of all its instances: what was not said now is as it was said before.
fn registered(member: &Member) -> String {
    let names: Vec<&str> = std::iter::once(&member.name).chain(&member.names).map(String::as_str).collect();
    let browsers = match member.https.as_slice() {
        [] => String::new(),
        https => format!(", one for browsers names {}", https.join(", ")),
    };
    format!(
        "Its certificates name {}{browsers}, and live {} seconds. --san, --https and --life change that, for each instance of \
         {} from its next certificate on",
        names.join(", "),
        member.life_seconds,
        member.name
    )
}

fn revoke(arguments: &Revoke, clock: &Clock, chance: &Chance) -> Result<(), Failure> {
    let mut folder = Folder::open(&arguments.home.dir)?;
    let reason = arguments.reason.into();
    if let Some(service) = &arguments.service {
        let count = folder.dismiss(service, reason, clock, chance)?;
        return say(&format!(
            "{service} is sent away: it gets no certificates until it is invited again, and {count} are revoked. Services that \
             ask the authority know it within a minute; whoever else is to know it needs the new list: {}\n",
            arguments.home.dir.join("crl.pem").display()
        ));
    }
    let Some(which) = &arguments.which else { return Ok(()) };
    let path = Path::new(which);
    let entry = if path.exists() {
        folder.revoke_certificate(&text(path)?, reason, clock, chance)?
    } else if which.bytes().any(|c| c == b'/' || c == b'.') {
        return Err(Failure::file("read", path, &std::io::ErrorKind::NotFound.into()));
    } else {
        folder.revoke(which, reason, clock, chance)?
    };
    say(&format!(
        "{} ({}) is revoked. Whoever is to know it needs the new list: {}\n",
        entry.common_name,
        entry.serial,
        arguments.home.dir.join("crl.pem").display()
    ))
}

fn crl(arguments: &Crl, clock: &Clock) -> Result<(), Failure> {
    let list = Folder::open(&arguments.home.dir)?.list(arguments.life, clock)?;
    let mut told = format!("{}\n", arguments.home.dir.join("crl.pem").display());
    for section in pki::show(&list, None, clock.now())? {
        told += &section.to_string();
    }
    say(&told)
}

fn renew(arguments: &Renew, clock: &Clock, chance: &Chance) -> Result<(), Failure> {
    if let Some(root_key) = &arguments.root_key {
        return renew_intermediate(arguments, root_key, clock, chance);
    }
    let Some(path) = &arguments.certificate else { return Ok(()) };
    let key_path = match &arguments.key {
        Some(key) => key.clone(),
        None => beside(path, ".pem", "-key.pem")
            .ok_or_else(|| Failure::Settings("say with --key where its key is".into()))?,
    };
    let cert = text(path)?;
    let mut passphrase = None;
    let key = opened(&key_path, || {
        let words = old_words(&arguments.secret, &key_path)?;
        passphrase = Some(Passphrase::new(words.clone())?);
        Ok(Passphrase::new(words)?)
    })?;
    // A key that does not fit is what a renewal leaves that was cut off between the two files.
    if let Ok(identity) = Identity::from_pem(&cert, &key.pem())
        && !identity.due(clock)
        && !arguments.force
    {
        return say(&format!(
            "{} is not due before {}; --force renews it all the same\n",
            path.display(),
            identity.renew_at()
        ));
    }
    let issued = Folder::open(&arguments.home.dir)?.renew(&cert, &key, clock, chance)?;
    let key_pem = match &passphrase {
        Some(passphrase) => {
            Zeroizing::new(PrivateKey::read(&issued.key_pem, None)?.0.encrypted_pem(passphrase, chance)?)
        }
        None => issued.key_pem.clone(),
    };
    files::write(&key_path, &key_pem, Readers::Owner)?;
    files::write(path, &issued.cert_pem, Readers::Everyone)?;
    let until = issued.identity()?.until();
    say(&format!("{} is renewed until {until}, with a new key in {}\n", path.display(), key_path.display()))
}

fn renew_intermediate(arguments: &Renew, root_key: &Path, clock: &Clock, chance: &Chance) -> Result<(), Failure> {
    let dir = &arguments.home.dir;
    let mut folder = Folder::open(dir)?;
    let life = folder.authority(clock).map(|authority| authority.life());
    if let Ok(life) = life
        && !life.is_due(clock.now())
        && !arguments.force
        && !arguments.stolen
    {
        // A replacement that was cut off may want its list.
        folder.list_if_due(clock)?;
        return say(&format!(
            "the intermediate is not due before {}; --force renews it all the same\n",
            life.renew_at()
        ));
    }
    let key = opened(root_key, || old_passphrase(&arguments.secret, root_key))?;
    folder.renew_intermediate(key, arguments.stolen, clock, chance)?;
    let former = if arguments.stolen {
        "Nothing that the former signed is believed any more, once the new list in crl.pem is handed out: sign it all again."
    } else {
        "Certificates of the former stay good until they end."
    };
    say(&format!("{} is new. {former}\nLock the root's key away again.\n", dir.join("intermediate.pem").display()))
}

/// A key from a file, saying aloud what should be said about it.
fn opened(path: &Path, ask: impl FnOnce() -> Result<Passphrase, Failure>) -> Result<PrivateKey, Failure> {
    let mut asked = None;
    let read = PrivateKey::open(path, || {
        ask().map_err(|failure| {
            let why = PkiError::Key(failure.to_string());
            asked = Some(failure);
            why
        })
    });
    if let Some(failure) = asked {
        return Err(failure);
    }
    let (key, warnings) = read?;
    for warning in warnings {
        remark(&format!("{}: {warning}", path.display()));
    }
    Ok(key)
}

fn old_passphrase(secret: &Secret, path: &Path) -> Result<Passphrase, Failure> {
    Ok(Passphrase::new(old_words(secret, path)?)?)
}

fn old_words(secret: &Secret, path: &Path) -> Result<Zeroizing<String>, Failure> {
    match &secret.passphrase_file {
        Some(file) => from_file(file),
        None => typed(&format!("Passphrase of {}: ", path.display())),
    }
}

/// A passphrase that nobody can look up later is typed twice.
fn new_passphrase(secret: &Secret, prompt: &str) -> Result<Zeroizing<String>, Failure> {
    if let Some(file) = &secret.passphrase_file {
        return from_file(file);
    }
    let words = typed(prompt)?;
    if words != typed("Once more: ")? {
        return Err(Failure::Settings("the two passphrases differ: nothing was done".into()));
    }
    Ok(words)
}

fn typed(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|_| {
        Failure::Settings(
            "a passphrase is needed, and there is no terminal to ask at: name a file that holds it with --passphrase-file \
             or GUICHET_PASSPHRASE_FILE"
                .into(),
        )
    })
}

/// The first line of a file or of standard input.
fn from_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let failed = |error: std::io::Error| Failure::file("read the passphrase from", path, &error);
    let mut text = Zeroizing::new(String::new());
    if path == Path::new("-") {
        std::io::stdin().take(4096).read_to_string(&mut text).map_err(failed)?;
    } else {
        std::fs::File::open(path).map_err(failed)?.take(4096).read_to_string(&mut text).map_err(failed)?;
    }
    Ok(Zeroizing::new(text.lines().next().unwrap_or("").to_owned()))
}

fn text(path: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::file("read", path, &error);
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    let read = file.take(MOST_BYTES).read_to_string(&mut text).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => Failure::Settings(format!(
            "{} is not PEM: if it is DER, convert it with `openssl x509 -inform DER` (or `req`, `crl`, `pkey`)",
            path.display()
        )),
        _ => failed(error),
    })?;
    if read as u64 == MOST_BYTES {
        return Err(Failure::Settings(format!("{} is far too long", path.display())));
    }
    Ok(text)
}

fn about(path: &Path, error: &PkiError) -> Failure {
    Failure::Settings(format!("{}: {error}", path.display()))
}

fn unused(path: &Path) -> Result<(), Failure> {
    if path.exists() {
        return Err(Failure::Settings(format!(
            "{} is there already, and nothing is overwritten: move it away, or choose another name with --out",
            path.display()
        )));
    }
    Ok(())
}

fn with(stem: &Path, end: &str) -> PathBuf {
    let mut name = stem.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// The file whose name ends otherwise.
fn beside(path: &Path, end: &str, instead: &str) -> Option<PathBuf> {
    let stem = path.file_name()?.to_str()?.strip_suffix(end)?;
    Some(path.with_file_name(format!("{stem}{instead}")))
}
