//! What a caller is answered when something underneath fails.

use aaa::{HashError, Problem};
use store::StoreError;

/// What a caller is answered when the store fails: 503 for what passes by itself, 500 for the rest.
pub fn store_problem(error: &StoreError) -> Problem {
    if error.is_passing() { Problem::unavailable(1, error) } else { Problem::internal(error) }
}

/// Any failure as a problem, so that a handler of a small program may use `?` on all of them.
///
/// What a constraint of the database refused is 409: the tables say what may not be twice, or not be gone.
#[derive(Debug)]
pub struct Failure(Problem);

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let detail = match &error {
            StoreError::Constraint(name) if name == "foreign_key" => {
                "It needs something that does not exist, or something else still needs it."
            }
            StoreError::Constraint(_) => "There is one like it already.",
            other => return Self(store_problem(other)),
        };
        Self(Problem::conflict("conflict", detail).because(error))
    }
}

impl From<HashError> for Failure {
    fn from(error: HashError) -> Self {
        Self(error.into())
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}
