//! The tables of the log: leaves, nodes, signed heads.

use ::store::{Affected, Bulk, Many, Optional, Query, Row, Scalar, StoreError, Transaction, Uuid, columns, params};
use tlog::{Frontier, Hash, Head, Node, NodeId, Plan};
use vocabulary::{EventId, Timestamp};

use crate::entry::Kept;
use crate::log::{Leaf, Nodes, Secret, StoredBadly, leaves_of};

pub(super) const SQL: &str = include_str!("../sql/log.sql");

const SIZE: Query<Scalar<i64>> = Query::find(SQL, "size");
const SIZE_NOW: Query<Scalar<i64>> = Query::find(SQL, "size_now");
const END: Query<Scalar<Option<i64>>> = Query::find(SQL, "end");
const SET_SIZE: Query<Affected> = Query::find(SQL, "set_size");
const KEY: Query<Scalar<Option<String>>> = Query::find(SQL, "key");
const SET_KEY: Query<Affected> = Query::find(SQL, "set_key");
const COMPLETE: Query<Scalar<bool>> = Query::find(SQL, "complete");
const SET_COMPLETE: Query<Affected> = Query::find(SQL, "set_complete");
const ADD_LEAVES: Query<Bulk> = Query::find(SQL, "add_leaves");
const ADD_NODES: Query<Bulk> = Query::find(SQL, "add_nodes");
const NODES_AT: Query<Many> = Query::find(SQL, "nodes_at");
const NODES_BETWEEN: Query<Many> = Query::find(SQL, "nodes_between");
const NOT_LOGGED: Query<Many> = Query::find(SQL, "not_logged");
const LOGGED_BETWEEN: Query<Many> = Query::find(SQL, "logged_between");
const LOGGED: Query<Optional> = Query::find(SQL, "logged");
const ADD_CHECKPOINT: Query<Affected> = Query::find(SQL, "add_checkpoint");
const LAST_CHECKPOINT: Query<Optional> = Query::find(SQL, "last_checkpoint");
const LAST_COSIGNED: Query<Optional> = Query::find(SQL, "last_cosigned");
const CHECKPOINTS_FROM: Query<Many> = Query::find(SQL, "checkpoints_from");
const HEADS_BETWEEN: Query<Many> = Query::find(SQL, "heads_between");
const COSIGNATURES_OF: Query<Many> = Query::find(SQL, "cosignatures_of");
const ADD_COSIGNATURE: Query<Affected> = Query::find(SQL, "add_cosignature");

/// A size or a place as databases hold it: [`tlog::MAX_SIZE`] keeps it in range.
fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A tree that is not as it should be stops the transaction.
pub(crate) fn bad(error: impl Into<StoredBadly>) -> StoreError {
    StoreError::Row(error.into().to_string())
}

/// How many entries the log has; held until the transaction ends, so that one appends at a time.
pub(crate) async fn hold(tx: &mut Transaction) -> Result<u64, StoreError> {
    let size = tx.run(&SIZE, params![]).await?.unwrap_or(0);
    u64::try_from(size).map_err(|_| StoreError::Row("the log's size is negative".to_owned()))
}

/// How many it has now.
pub(crate) async fn size(tx: &mut Transaction) -> Result<u64, StoreError> {
    let size = tx.run(&SIZE_NOW, params![]).await?.unwrap_or(0);
    u64::try_from(size).map_err(|_| StoreError::Row("the log's size is negative".to_owned()))
}

/// One past the last place at which anything stands, whatever the size says.
pub(crate) async fn end(tx: &mut Transaction) -> Result<u64, StoreError> {
    let end = tx.run(&END, params![]).await?.flatten().unwrap_or(0);
    u64::try_from(end).map_err(|_| StoreError::Row("the log's end is negative".to_owned()))
}

/// The right edge of the tree of `size` leaves.
pub(crate) async fn frontier(tx: &mut Transaction, size: u64) -> Result<Frontier, StoreError> {
    let wanted = Frontier::nodes(size).map_err(bad)?;
    let nodes = nodes(tx, &wanted).await?;
    Frontier::load(size, |id| nodes.get(id)).map_err(bad)
}

/// The hashes of a proof.
pub(crate) async fn path(tx: &mut Transaction, plan: &Plan) -> Result<Vec<Hash>, StoreError> {
    let nodes = nodes(tx, plan.nodes()).await?;
    plan.prove(|id| nodes.get(id)).map_err(bad)
}

async fn nodes(tx: &mut Transaction, wanted: &[NodeId]) -> Result<Nodes, StoreError> {
    if wanted.is_empty() {
        return Ok(Nodes::from_rows([]));
    }
    nodes_of(&tx.run(&NODES_AT, params![leaves_of(wanted)]).await?)
}

fn level(row: &Row) -> Result<u8, StoreError> {
    let level: u32 = row.get("level")?;
    u8::try_from(level).map_err(|_| StoreError::Row("a node's level is beyond any tree's".to_owned()))
}

/// Appends entries to the log of `size` leaves, held by this transaction; gives its head after them.
pub(crate) async fn append(tx: &mut Transaction, size: u64, new: &[(EventId, Leaf, Hash)]) -> Result<Head, StoreError> {
    let mut tree = frontier(tx, size).await?;
    if new.is_empty() {
        return Ok(Head { size, root: tree.root() });
    }
    let nodes = tree.append(new.iter().map(|(_, _, hash)| *hash)).map_err(bad)?;
    let places: Vec<i64> = (size..tree.size()).map(stored).collect();
    let ids: Vec<Uuid> = new.iter().map(|(id, _, _)| id.0).collect();
    let actors: Vec<[u8; 32]> = new.iter().map(|(_, leaf, _)| leaf.actor.0).collect();
    let contents: Vec<[u8; 32]> = new.iter().map(|(_, leaf, _)| leaf.content.0).collect();
    let salts: Vec<Vec<u8>> =
        new.iter().map(|(_, leaf, _)| leaf.secret.map(|secret| secret.0.to_vec()).unwrap_or_default()).collect();
    tx.bulk(&ADD_LEAVES, columns![places, ids, actors, contents, salts]).await?;
    let (leaves, levels): (Vec<i64>, Vec<i64>) = nodes
        .iter()
        .map(|Node { id, .. }| (leaves_of(&[*id]).first().copied().unwrap_or(i64::MAX), i64::from(id.level)))
        .unzip();
    let hashes: Vec<[u8; 32]> = nodes.iter().map(|node| node.hash.0).collect();
    tx.bulk(&ADD_NODES, columns![leaves, levels, hashes]).await?;
    tx.run(&SET_SIZE, params![stored(tree.size())]).await?;
    Ok(Head { size: tree.size(), root: tree.root() })
}

/// The key that signs the log, once one does.
pub(crate) async fn key(tx: &mut Transaction) -> Result<Option<String>, StoreError> {
    Ok(tx.run(&KEY, params![]).await?.flatten())
}

/// From now on this one does.
pub(crate) async fn set_key(tx: &mut Transaction, key: &str) -> Result<(), StoreError> {
    tx.run(&SET_KEY, params![key]).await.map(drop)
}

/// Whether the entries from before there was a log are in it.
pub(crate) async fn is_complete(tx: &mut Transaction) -> Result<bool, StoreError> {
    Ok(tx.run(&COMPLETE, params![]).await?.unwrap_or(false))
}

/// They are, from now on.
pub(crate) async fn set_complete(tx: &mut Transaction) -> Result<(), StoreError> {
    tx.run(&SET_COMPLETE, params![]).await.map(drop)
}

/// Entries that are not in the log, at most so many.
pub(crate) async fn not_logged(tx: &mut Transaction, most: u32) -> Result<Vec<Kept>, StoreError> {
    tx.run(&NOT_LOGGED, params![most]).await?.iter().map(kept).collect()
}

/// An entry with its leaf.
pub(crate) struct Logged {
    pub(crate) place: u64,
    pub(crate) leaf: Leaf,
    /// Nothing where the entry is not there any more.
    pub(crate) kept: Option<Kept>,
}

pub(crate) async fn logged(tx: &mut Transaction, id: EventId) -> Result<Option<Logged>, StoreError> {
    tx.run(&LOGGED, params![id]).await?.as_ref().map(of_row).transpose()
}

/// Those at the places from `from` up to, and without, `to`.
pub(crate) async fn logged_between(tx: &mut Transaction, from: u64, to: u64) -> Result<Vec<Logged>, StoreError> {
    tx.run(&LOGGED_BETWEEN, params![stored(from), stored(to)]).await?.iter().map(of_row).collect()
}

/// The nodes that came with these leaves.
pub(crate) async fn nodes_between(tx: &mut Transaction, from: u64, to: u64) -> Result<Nodes, StoreError> {
    nodes_of(&tx.run(&NODES_BETWEEN, params![stored(from), stored(to)]).await?)
}

fn nodes_of(rows: &[Row]) -> Result<Nodes, StoreError> {
    let rows = rows.iter().map(|row| Ok((row.get("leaf")?, level(row)?, Hash(row.get("hash")?))));
    Ok(Nodes::from_rows(rows.collect::<Result<Vec<_>, StoreError>>()?))
}

fn of_row(row: &Row) -> Result<Logged, StoreError> {
    let secret = row.get::<Option<[u8; 32]>>("salt")?.map(Secret);
    let leaf = Leaf { actor: Hash(row.get("actor")?), content: Hash(row.get("content")?), secret };
    let there = row.get::<Option<EventId>>("id")?.is_some();
    let place: u64 = row.get("place")?;
    let kept = there.then(|| kept(row)).transpose();
    let kept = kept.map_err(|error| StoreError::Row(format!("entry {place} of the log was altered: {error}")))?;
    Ok(Logged { place, leaf, kept })
}

fn kept(row: &Row) -> Result<Kept, StoreError> {
    Ok(Kept { event: super::event(row)?, source: row.get("source")?, seq: row.get("seq")?, raw: row.get("raw")? })
}

/// A signed head: its size, and its note with what witnesses added.
pub(crate) struct Sealed {
    pub(crate) size: u64,
    pub(crate) note: String,
}

/// Keeps a signed head.
pub(crate) async fn add_checkpoint(
    tx: &mut Transaction,
    size: u64,
    at: Timestamp,
    note: &str,
) -> Result<(), StoreError> {
    tx.run(&ADD_CHECKPOINT, params![stored(size), at, note]).await.map(drop)
}

/// Keeps what a witness added to it: a signature line.
pub(crate) async fn add_cosignature(
    tx: &mut Transaction,
    size: u64,
    witness: &str,
    signature: &str,
) -> Result<(), StoreError> {
    tx.run(&ADD_COSIGNATURE, params![stored(size), witness, signature]).await.map(drop)
}

/// The newest signed head.
pub(crate) async fn last_checkpoint(tx: &mut Transaction) -> Result<Option<Sealed>, StoreError> {
    let row = tx.run(&LAST_CHECKPOINT, params![]).await?;
    sealed(tx, row).await
}

/// The newest that a witness cosigned.
pub(crate) async fn last_cosigned(tx: &mut Transaction) -> Result<Option<Sealed>, StoreError> {
    let row = tx.run(&LAST_COSIGNED, params![]).await?;
    sealed(tx, row).await
}

/// Signed heads from this size on, oldest first, at most so many.
pub(crate) async fn checkpoints_from(tx: &mut Transaction, size: u64, most: u32) -> Result<Vec<Sealed>, StoreError> {
    let mut found = Vec::new();
    for row in tx.run(&CHECKPOINTS_FROM, params![stored(size), most]).await? {
        found.extend(sealed(tx, Some(row)).await?);
    }
    Ok(found)
}

/// The signed heads of sizes from `first` to `last`, as the log signed them: what witnesses added is left out.
pub(crate) async fn heads_between(tx: &mut Transaction, first: u64, last: u64) -> Result<Vec<Sealed>, StoreError> {
    let rows = tx.run(&HEADS_BETWEEN, params![stored(first), stored(last)]).await?;
    rows.iter().map(|row| Ok(Sealed { size: row.get("size")?, note: row.get("note")? })).collect()
}

async fn sealed(tx: &mut Transaction, row: Option<Row>) -> Result<Option<Sealed>, StoreError> {
    let Some(row) = row else { return Ok(None) };
    let (size, mut note): (u64, String) = (row.get("size")?, row.get("note")?);
    for line in tx.run(&COSIGNATURES_OF, params![stored(size)]).await? {
        note += &line.get::<String>("signature")?;
        note.push('\n');
    }
    Ok(Some(Sealed { size, note }))
}
