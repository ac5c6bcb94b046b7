//! `guichet users`: people made from the command line, through the same rules as any other, and let in again.

use std::io::Read;
use std::path::Path;

use aaa::{Password, Problem};
use contracts::identity::UserState;
use contracts::roles::Role;
use identity::{Lost, NewPerson};

use crate::cli::{CreateUser, RoleName, UnlockUser};
use crate::people::People;
use crate::{Failure, say};

pub(crate) async fn create(arguments: CreateUser) -> Result<(), Failure> {
    let person = NewPerson {
        login: read("--login", &arguments.login)?,
        password: password(&arguments.password_file)?,
        email: read("--email", &arguments.email)?,
        first_name: read("--first-name", &arguments.first_name)?,
        last_name: read("--last-name", &arguments.last_name)?,
        language: contracts::identity::Language::default(),
    };
    let role = match arguments.role {
        RoleName::Member => Role::Member,
        RoleName::Agent => Role::Agent,
        RoleName::Superuser => Role::Superuser,
    };
    let people = People::open(&arguments.place).await?;
    let made = people.identity().create_person(person, role, UserState::Active).await.map_err(Problem::from);
    people.close().await;
    let user = made?;
    say(&format!("{} {} was created.\n", role.name(), user.login))
}

pub(crate) async fn unlock(arguments: UnlockUser) -> Result<(), Failure> {
    let login = read("LOGIN", &arguments.login)?;
    let new_password = arguments.new_password_file.as_deref().map(password).transpose()?;
    let lost = Lost { factors: arguments.without_second_factor, password: new_password };
    let people = People::open(&arguments.place).await?;
    let done = people.identity().unlock_by_hand(&login, lost).await;
    people.close().await;
    match done {
        Ok(()) => say(&format!("{login} may sign in again.\n")),
        Err(identity::Error::NotFound) => Err(Failure::Refused(format!("nobody is called {login}"))),
        Err(error) => Err(Problem::from(error).into()),
    }
}

fn read<T: std::str::FromStr<Err: std::fmt::Display>>(flag: &str, text: &str) -> Result<T, Failure> {
    text.parse().map_err(|error| Failure::Settings(format!("{flag} {error}")))
}

/// The first line of the file; never from the command line, which others can read.
fn password(path: &Path) -> Result<Password, Failure> {
    let failed = |error: std::io::Error| Failure::file("read the password from", path, &error);
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().take(4096).read_to_string(&mut text).map_err(failed)?;
    } else {
        std::fs::File::open(path).map_err(failed)?.take(4096).read_to_string(&mut text).map_err(failed)?;
    }
    let line = text.lines().next().unwrap_or("").to_owned();
    line.try_into().map_err(|error| Failure::Settings(format!("the password {error}")))
}
