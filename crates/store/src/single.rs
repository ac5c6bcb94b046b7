//! Transactions of one query: all that a small program needs most of the time.

use crate::{Answer, Many, Optional, Query, Row, Store, StoreError, Value};

/// What a row is read as.
pub trait FromRow: Sized {
    /// Reads the columns it needs.
    fn from_row(row: &Row) -> Result<Self, StoreError>;
}

impl Store {
    /// Every row of one query.
    pub async fn all<T: FromRow>(&self, query: &Query<Many>, params: &[Value]) -> Result<Vec<T>, StoreError> {
        self.read().await?.run(query, params).await?.iter().map(T::from_row).collect()
    }

    /// The row of one query, if there is one.
    pub async fn one<T: FromRow>(&self, query: &Query<Optional>, params: &[Value]) -> Result<Option<T>, StoreError> {
        self.read().await?.run(query, params).await?.as_ref().map(T::from_row).transpose()
    }

    /// One query that may write, kept once this returns.
    pub async fn write<K: Answer>(&self, query: &Query<K>, params: &[Value]) -> Result<K::Output, StoreError> {
        let mut tx = self.begin().await?;
        let output = tx.run(query, params).await?;
        tx.commit().await?;
        Ok(output)
    }
}
