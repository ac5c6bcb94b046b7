//! Authors and their books. Everybody sees and removes what they wrote down themselves; the rest is not there for them.

use aaa::{
    Api, Call, Created, Fields, Guard, May, On, Operation, Principal, Problem, Right, Route, Scheme, Signed, Verdict,
};
use chassis::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::{FromRow, Row, StoreError, params};
use vocabulary::Text;

use crate::store::{ADD_AUTHOR, DELETE_AUTHOR, LIST_AUTHORS, OWNER_OF};
use crate::{Library, Message};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Author {
    id: i64,
    name: String,
    book: String,
    country: String,
    booker_prize: bool,
}

impl FromRow for Author {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            name: row.get("name")?,
            book: row.get("book")?,
            country: row.get("country")?,
            booker_prize: row.get("booker_prize")?,
        })
    }
}

/// A further author.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct AddAuthor {
    name: Text<1, 50>,
    book: Text<1, 100>,
    country: Text<1, 50>,
    booker_prize: bool,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Added {
    message: String,
    id: i64,
}

impl Operation for AddAuthor {
    const ROUTE: Route = Route::post("library", "/author").accepts(Scheme::TOKENS);
    type Policy = Signed;
    type Reply = Created<Added>;
}

async fn add(library: Library, call: Call<AddAuthor, Library>) -> Result<Created<Added>, Failure> {
    let author = &call.request;
    let values = params![&author.name, &author.book, &author.country, author.booker_prize, call.by().id];
    let id = library.store.write(&ADD_AUTHOR, values).await?;
    let id = id.ok_or_else(|| Problem::internal("the database gave no number"))?;
    Ok(Created(Added { message: "new author created".into(), id }))
}

/// Those whom the caller wrote down.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct ListAuthors {}

#[derive(Serialize, Deserialize, JsonSchema)]
struct AuthorList {
    list_of_authors: Vec<Author>,
}

impl Operation for ListAuthors {
    const ROUTE: Route = Route::get("library", "/authors").accepts(Scheme::TOKENS);
    type Policy = Signed;
    type Reply = AuthorList;
}

async fn list(library: Library, call: Call<ListAuthors, Library>) -> Result<AuthorList, Failure> {
    Ok(AuthorList { list_of_authors: library.store.all(&LIST_AUTHORS, params![call.by().id]).await? })
}

/// The right of who wrote an author down. For others the author is not there: 404.
struct WroteDown;

impl Right for WroteDown {
    const NAME: &'static str = "remove author";
    type Id = i64;
}

impl Guard<WroteDown> for Library {
    type Row = ();
    async fn check(&self, by: &Principal, id: i64) -> Result<Verdict<()>, Problem> {
        let mut tx = self.store.read().await.map_err(Failure::from)?;
        let owner = tx.run(&OWNER_OF, params![id]).await.map_err(Failure::from)?;
        Ok(match owner {
            None => Verdict::Missing,
            Some(owner) if owner == by.id.0 => Verdict::Granted(()),
            Some(_) => Verdict::Unseen,
        })
    }
}

/// Removes an author.
#[derive(Serialize, Deserialize, JsonSchema, Fields)]
struct DeleteAuthor {
    id: i64,
}

impl On<i64> for DeleteAuthor {
    fn on(&self) -> i64 {
        self.id
    }
}

impl Operation for DeleteAuthor {
    const ROUTE: Route = Route::delete("library", "/authors/{id}").accepts(Scheme::TOKENS);
    type Policy = May<Signed, WroteDown>;
    type Reply = Message;
}

async fn delete(library: Library, call: Call<DeleteAuthor, Library>) -> Result<Message, Failure> {
    match library.store.write(&DELETE_AUTHOR, params![call.request.id, call.by().id]).await? {
        0 => Err(Problem::not_found().into()),
        _ => Ok(Message::new("Author deleted")),
    }
}

/// Mounts what this file declares.
pub(crate) fn mount(api: Api<Library>) -> Api<Library> {
    api.serve(add).serve(list).serve(delete)
}
