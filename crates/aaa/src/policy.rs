//! Policies are types, so that `cargo check` refuses a wrong use in our own words.
//!
//! [`Open`] — anyone. [`Signed`] — anyone who signed in. [`In`], [`AnyOf`], [`AllOf`] — members of groups.
//! [`May`] — one of those who also holds a [`Right`] on the object that a field of the request names.

use std::future::Future;
use std::marker::PhantomData;

use crate::principal::Principal;
use crate::problem::Problem;

/// A policy that fits the operation `O`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a policy for `{O}`",
    note = "`May<…, R>` needs `impl On<R::Id> for {O}`, which says which field names the object"
)]
pub trait Policy<O: ?Sized>: Send + Sync + 'static {
    /// Which callers pass before the request is read.
    const WHO: Who;
    /// The right that is checked on the object, if any.
    const RIGHT: Option<&'static str>;
}

/// Which callers a policy lets through, before the object is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Anyone; no credential is looked at.
    Open,
    /// Anyone who signed in.
    Signed,
    /// A member of one of these groups.
    AnyOf(&'static [&'static str]),
    /// A member of all these groups.
    AllOf(&'static [&'static str]),
}

impl Who {
    /// Whether someone in `groups` passes.
    pub fn admits(self, groups: &[String]) -> bool {
        let holds = |name: &&str| groups.iter().any(|group| group == name);
        match self {
            Self::Open | Self::Signed => true,
            Self::AnyOf(names) => names.iter().any(holds),
            Self::AllOf(names) => names.iter().all(holds),
        }
    }
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Open => f.write_str("open"),
            Self::Signed => f.write_str("signed in"),
            Self::AnyOf(names) => f.write_str(&names.join(" or ")),
            Self::AllOf(names) => f.write_str(&names.join(" and ")),
        }
    }
}

/// A group of people, such as the agents. A type, so that a misspelt group does not compile.
pub trait Group: Send + Sync + 'static {
    /// As tokens carry it.
    const NAME: &'static str;
}

/// Anyone, signed in or not. The handler gets no caller.
pub struct Open;
/// Anyone who signed in.
pub struct Signed;
/// Members of the group `G`.
pub struct In<G>(PhantomData<G>);
/// Members of at least one group of the tuple `T`.
pub struct AnyOf<T>(PhantomData<T>);
/// Members of every group of the tuple `T`.
pub struct AllOf<T>(PhantomData<T>);
/// Those of `W` who hold the right `R` on the object that the request names.
pub struct May<W, R>(PhantomData<(W, R)>);

/// A policy that knows the caller: all but [`Open`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not identify the caller",
    note = "an operation that is open to anyone has no caller; give it another policy, such as `Signed`"
)]
pub trait Identifies: Send + Sync + 'static {
    /// Which callers pass.
    const WHO: Who;
}

/// A policy that proves a right on an object: [`May`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` proves no right on an object",
    note = "only an operation whose policy is `May<…, Right>` is handed the object"
)]
pub trait Touches {}

/// A tuple of groups.
pub trait Groups: Send + Sync + 'static {
    /// Their names.
    const NAMES: &'static [&'static str];
}

macro_rules! groups {
    ($($group:ident),+) => {
        impl<$($group: Group),+> Groups for ($($group,)+) {
            const NAMES: &'static [&'static str] = &[$($group::NAME),+];
        }
    };
}
groups!(A);
groups!(A, B);
groups!(A, B, C);
groups!(A, B, C, D);

impl Identifies for Signed {
    const WHO: Who = Who::Signed;
}
impl<G: Group> Identifies for In<G> {
    const WHO: Who = Who::AnyOf(&[G::NAME]);
}
impl<T: Groups> Identifies for AnyOf<T> {
    const WHO: Who = Who::AnyOf(T::NAMES);
}
impl<T: Groups> Identifies for AllOf<T> {
    const WHO: Who = Who::AllOf(T::NAMES);
}
impl<W: Identifies, R: Right> Identifies for May<W, R> {
    const WHO: Who = W::WHO;
}
impl<W, R> Touches for May<W, R> {}

/// A right on one kind of object, such as "debit account".
pub trait Right: Send + Sync + 'static {
    /// As the matrix shows it.
    const NAME: &'static str;
    /// What names the object.
    type Id: Send + Sync + 'static;
}

/// Which field of the request names the object of the policy.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which field names the object of its policy",
    note = "write `impl On<{Id}> for {Self} {{ fn on(&self) -> {Id} {{ self.… }} }}`"
)]
pub trait On<Id> {
    /// The object's id.
    fn on(&self) -> Id;
}

/// A service that can tell whether someone holds the right `R`. It hands the row it looked at to the handler as proof.
///
/// The row is read before the handler's transaction: read it again under lock before money moves.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot tell who holds this right",
    note = "write `impl Guard<R> for {Self}` for the right of the policy"
)]
pub trait Guard<R: Right> {
    /// What the handler is given.
    type Row: Send + 'static;
    /// Looks the object up and decides.
    fn check(&self, by: &Principal, id: R::Id) -> impl Future<Output = Result<Verdict<Self::Row>, Problem>> + Send;
}

/// What a [`Guard`] found.
pub enum Verdict<Row> {
    /// The right is held; here is the object.
    Granted(Row),
    /// There is no such object, or this caller may not know that there is: 404.
    Unseen,
    /// The caller may see the object and not do this: 403, with a reason the caller may read.
    Refused(&'static str),
}

impl<O> Policy<O> for Open {
    const WHO: Who = Who::Open;
    const RIGHT: Option<&'static str> = None;
}
impl<O> Policy<O> for Signed {
    const WHO: Who = <Self as Identifies>::WHO;
    const RIGHT: Option<&'static str> = None;
}
impl<O, G: Group> Policy<O> for In<G> {
    const WHO: Who = <Self as Identifies>::WHO;
    const RIGHT: Option<&'static str> = None;
}
impl<O, T: Groups> Policy<O> for AnyOf<T> {
    const WHO: Who = <Self as Identifies>::WHO;
    const RIGHT: Option<&'static str> = None;
}
impl<O, T: Groups> Policy<O> for AllOf<T> {
    const WHO: Who = <Self as Identifies>::WHO;
    const RIGHT: Option<&'static str> = None;
}
impl<O: On<R::Id>, W: Identifies, R: Right> Policy<O> for May<W, R> {
    const WHO: Who = W::WHO;
    const RIGHT: Option<&'static str> = Some(R::NAME);
}

/// How a policy is enforced by the service `S`: the part of a policy that only the layer itself implements.
pub trait Enforce<O, S>: Policy<O> {
    /// What the handler gets as proof.
    type Proof: Send + 'static;
    /// Checks the right on the object; policies without one grant.
    fn prove(
        service: &S,
        by: Option<&Principal>,
        request: &O,
    ) -> impl Future<Output = Result<Self::Proof, Problem>> + Send;
}

macro_rules! proves_nothing {
    ($($policy:ty $(, $generic:ident : $bound:ident)?;)+) => {$(
        impl<O: Sync, S: Sync $(, $generic: $bound)?> Enforce<O, S> for $policy {
            type Proof = ();
            async fn prove(_: &S, _: Option<&Principal>, _: &O) -> Result<(), Problem> {
                Ok(())
            }
        }
    )+};
}
proves_nothing! { Open; Signed; In<G>, G: Group; AnyOf<T>, T: Groups; AllOf<T>, T: Groups; }

impl<O, S, W, R> Enforce<O, S> for May<W, R>
where
    O: On<R::Id> + Sync,
    S: Guard<R> + Sync,
    W: Identifies,
    R: Right,
{
    type Proof = S::Row;
    async fn prove(service: &S, by: Option<&Principal>, request: &O) -> Result<S::Row, Problem> {
        // Absent only if the layer failed to ask who it is: deny.
        let by = by.ok_or_else(Problem::unauthorized)?;
        match service.check(by, request.on()).await? {
            Verdict::Granted(row) => Ok(row),
            Verdict::Unseen => Err(Problem::not_found()),
            Verdict::Refused(reason) => Err(Problem::forbidden(reason)),
        }
    }
}
