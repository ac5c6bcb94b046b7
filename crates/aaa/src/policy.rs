//! Policies are types, so that `cargo check` refuses a wrong use in our own words.
//!
//! [`Closed`] — nobody. [`Open`] — anyone. [`Signed`] — anyone who signed in. [`In`], [`AnyOf`], [`AllOf`] — members of
//! groups. Around one of those: [`Scoped`] — with a token of that scope. [`StepUp`] — who proved lately, or with a second
//! factor, who they are. [`May`] — who also holds a [`Right`] on the object that a field of the request names.
//! [`FourEyes`] — and is not among the object's own parties.

use std::fmt::Display;
use std::future::Future;
use std::marker::PhantomData;
use std::time::Duration;

use vocabulary::UserId;

use crate::principal::Principal;
use crate::problem::Problem;

/// A policy that fits the operation `O`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a policy for `{O}`",
    note = "`May<…, R>` and `FourEyes<…, R>` need `impl On<R::Id> for {O}`, which says which field names the object"
)]
pub trait Policy<O: ?Sized>: Send + Sync + 'static {
    /// What it asks of a caller.
    const DEMANDS: Demands;
}

/// What a policy asks of a caller, as its types say it. The matrix, the document and the enforcement read this one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demands {
    /// Who passes.
    pub who: Who,
    /// The scope that a token reduced in scope has to carry.
    pub scope: Option<&'static str>,
    /// How lately, or how well, the caller has to have proved who they are.
    pub fresh: Option<Fresh>,
    /// The right on the object that the request names.
    pub right: Option<&'static str>,
    /// Whether the object's own parties are refused.
    pub four_eyes: bool,
}

impl Demands {
    /// Only who.
    pub const fn of(who: Who) -> Self {
        Self { who, scope: None, fresh: None, right: None, four_eyes: false }
    }
}

impl Display for Demands {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.who)?;
        if let Some(right) = self.right {
            write!(f, "; may {right}")?;
        }
        if self.four_eyes {
            f.write_str("; four eyes")?;
        }
        if let Some(fresh) = self.fresh {
            write!(f, "; {fresh}")?;
        }
        self.scope.map_or(Ok(()), |scope| write!(f, "; scope {scope}"))
    }
}

/// How lately, or how well, the caller has to have proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// At most so long ago.
    pub within: Option<Duration>,
    /// With a second factor.
    pub second_factor: bool,
}

impl Display for Fresh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let within = self.within.map(|it| format!("signed in within {} min", it.as_secs() / 60));
        let factor = self.second_factor.then(|| "with a second factor".to_owned());
        f.write_str(&within.into_iter().chain(factor).collect::<Vec<_>>().join(", "))
    }
}

/// Which callers a policy lets through, before the object is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Nobody; nothing else is looked at.
    Nobody,
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
            Self::Nobody => false,
            Self::Open | Self::Signed => true,
            Self::AnyOf(names) => names.iter().any(holds),
            Self::AllOf(names) => names.iter().all(holds),
        }
    }
}

impl Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nobody => f.write_str("nobody"),
            Self::Open => f.write_str("open"),
            Self::Signed => f.write_str("signed in"),
            Self::AnyOf(names) => f.write_str(&names.join(" or ")),
            Self::AllOf(names) => f.write_str(&names.join(" and ")),
        }
    }
}

/// A group of people, such as the agents. A type, so that a misspelt group does not compile.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a group",
    note = "declare it: `impl Group for {Self} {{ const NAME: &'static str = \"…\"; }}`"
)]
pub trait Group: Send + Sync + 'static {
    /// As tokens carry it.
    const NAME: &'static str;
}

/// What a token may be reduced to, such as reading only (RFC 6749 §3.3). A type, so that a misspelt scope does not compile.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a scope",
    note = "declare it: `impl Scope for {Self} {{ const NAME: &'static str = \"…\"; }}`"
)]
pub trait Scope: Send + Sync + 'static {
    /// As tokens carry it: without spaces.
    const NAME: &'static str;
}

/// How lately, or how well, the caller has to have proved who they are: for [`StepUp`].
pub trait Freshness: Send + Sync + 'static {
    /// At most so long ago; `None` asks for no time.
    const WITHIN: Option<Duration>;
    /// With a second factor.
    const SECOND_FACTOR: bool = false;
}

/// Nobody: 403 for everyone, before anything is looked at.
pub struct Closed;
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
/// Those of `P` whose token carries the scope `S`, or is not reduced in scope at all.
///
/// A reduced token reaches only operations that declare a scope it carries: what declares none is out of its reach.
pub struct Scoped<P, S>(PhantomData<(P, S)>);
/// Those of `P` who proved who they are lately, or with a second factor, as `F` says. The refusal is RFC 9470's.
pub struct StepUp<P, F>(PhantomData<(P, F)>);
/// Those of `P` who hold the right `R` on the object that the request names.
pub struct May<P, R>(PhantomData<(P, R)>);
/// Like [`May`], and the caller is none of the object's own [`Parties`]: nobody decides what they made or benefit from.
pub struct FourEyes<P, R>(PhantomData<(P, R)>);

/// A policy that knows the caller: all but [`Open`] and [`Closed`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not identify the caller",
    note = "an operation that is open to anyone has no caller; give it another policy, such as `Signed`"
)]
pub trait Identifies: Send + Sync + 'static {
    /// What it asks of a caller.
    const DEMANDS: Demands;
}

/// A policy that proves a right on an object: [`May`] and [`FourEyes`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` proves no right on an object",
    note = "only an operation whose policy is `May<…, Right>` or `FourEyes<…, Right>` is handed the object"
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
    const DEMANDS: Demands = Demands::of(Who::Signed);
}
impl<G: Group> Identifies for In<G> {
    const DEMANDS: Demands = Demands::of(Who::AnyOf(&[G::NAME]));
}
impl<T: Groups> Identifies for AnyOf<T> {
    const DEMANDS: Demands = Demands::of(Who::AnyOf(T::NAMES));
}
impl<T: Groups> Identifies for AllOf<T> {
    const DEMANDS: Demands = Demands::of(Who::AllOf(T::NAMES));
}
impl<P: Identifies, S: Scope> Identifies for Scoped<P, S> {
    const DEMANDS: Demands = Demands { scope: Some(S::NAME), ..P::DEMANDS };
}
impl<P: Identifies, F: Freshness> Identifies for StepUp<P, F> {
    const DEMANDS: Demands =
        Demands { fresh: Some(Fresh { within: F::WITHIN, second_factor: F::SECOND_FACTOR }), ..P::DEMANDS };
}
impl<P: Identifies, R: Right> Identifies for May<P, R> {
    const DEMANDS: Demands = Demands { right: Some(R::NAME), ..P::DEMANDS };
}
impl<P: Identifies, R: Right> Identifies for FourEyes<P, R> {
    const DEMANDS: Demands = Demands { right: Some(R::NAME), four_eyes: true, ..P::DEMANDS };
}
impl<P, R> Touches for May<P, R> {}
impl<P, R> Touches for FourEyes<P, R> {}

/// A right on one kind of object, such as "debit account".
pub trait Right: Send + Sync + 'static {
    /// As the matrix shows it.
    const NAME: &'static str;
    /// What is answered about an object that the caller may not see.
    const UNSEEN: Unseen = Unseen::NotFound;
    /// What names the object.
    type Id: Display + Send + Sync + 'static;
}

/// What is answered about an object that the caller may not see.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unseen {
    /// 404, as if it did not exist: nobody learns that it does.
    NotFound,
    /// 403: that it exists is no secret.
    Forbidden,
}

#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say whom it concerns",
    note = "`FourEyes<…>` needs `impl Parties for {Self}`: who made it, and who benefits from it"
)]
/// Whom an object concerns, so that [`FourEyes`] keeps them from deciding it.
pub trait Parties {
    /// Who made it, and who benefits from it.
    fn parties(&self) -> impl Iterator<Item = UserId>;
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
    /// There is no such object: 404.
    Missing,
    /// This caller may not know that there is: 404, or 403 where the right says so ([`Right::UNSEEN`]).
    Unseen,
    /// The caller may see the object and not do this: 403, with a reason the caller may read.
    Refused(&'static str),
}

impl<O> Policy<O> for Closed {
    const DEMANDS: Demands = Demands::of(Who::Nobody);
}
impl<O> Policy<O> for Open {
    const DEMANDS: Demands = Demands::of(Who::Open);
}
macro_rules! policies {
    ($($policy:ty, [$($generic:ident : $bound:ident),*];)+) => {$(
        impl<O, $($generic: $bound),*> Policy<O> for $policy {
            const DEMANDS: Demands = <Self as Identifies>::DEMANDS;
        }
    )+};
}
policies! {
    Signed, [];
    In<G>, [G: Group];
    AnyOf<T>, [T: Groups];
    AllOf<T>, [T: Groups];
    Scoped<P, S>, [P: Identifies, S: Scope];
    StepUp<P, F>, [P: Identifies, F: Freshness];
}
impl<O: On<R::Id>, P: Identifies, R: Right> Policy<O> for May<P, R> {
    const DEMANDS: Demands = <Self as Identifies>::DEMANDS;
}
impl<O: On<R::Id>, P: Identifies, R: Right> Policy<O> for FourEyes<P, R> {
    const DEMANDS: Demands = <Self as Identifies>::DEMANDS;
}

/// How a policy is enforced by the service `S`: the part of a policy that only the layer itself implements.
pub trait Enforce<O, S>: Policy<O> {
    /// What the handler gets as proof.
    type Proof: Send + 'static;
    /// The object that the request names, for the record of the decision.
    fn named(_request: &O) -> Option<String> {
        None
    }
    /// Checks the right on the object; policies without one grant.
    fn prove(
        service: &S,
        by: Option<&Principal>,
        request: &O,
    ) -> impl Future<Output = Result<Self::Proof, Problem>> + Send;
}

macro_rules! proves_nothing {
    ($($policy:ty, [$($generic:ident : $bound:ident),*];)+) => {$(
        impl<O: Sync, S: Sync, $($generic: $bound),*> Enforce<O, S> for $policy {
            type Proof = ();
            async fn prove(_: &S, _: Option<&Principal>, _: &O) -> Result<(), Problem> {
                Ok(())
            }
        }
    )+};
}
proves_nothing! {
    Closed, [];
    Open, [];
    Signed, [];
    In<G>, [G: Group];
    AnyOf<T>, [T: Groups];
    AllOf<T>, [T: Groups];
    Scoped<P, C>, [P: Identifies, C: Scope];
    StepUp<P, F>, [P: Identifies, F: Freshness];
}

/// Asks the guard, and turns its verdict into the row or the answer.
async fn held<S: Guard<R>, R: Right>(service: &S, by: Option<&Principal>, id: R::Id) -> Result<S::Row, Problem> {
    // Absent only if the layer failed to ask who it is: deny.
    let by = by.ok_or_else(Problem::unauthorized)?;
    match service.check(by, id).await? {
        Verdict::Granted(row) => Ok(row),
        Verdict::Missing => Err(Problem::not_found().because("no such object")),
        Verdict::Unseen => Err(match R::UNSEEN {
            Unseen::NotFound => Problem::not_found(),
            Unseen::Forbidden => Problem::forbidden("This belongs to somebody else."),
        }
        .because(format_args!("may not {}", R::NAME))),
        Verdict::Refused(reason) => Err(Problem::forbidden(reason).because(format_args!("may not {}", R::NAME))),
    }
}

impl<O, S, P, R> Enforce<O, S> for May<P, R>
where
    O: On<R::Id> + Sync,
    S: Guard<R> + Sync,
    P: Identifies,
    R: Right,
{
    type Proof = S::Row;
    fn named(request: &O) -> Option<String> {
        Some(request.on().to_string())
    }
    async fn prove(service: &S, by: Option<&Principal>, request: &O) -> Result<S::Row, Problem> {
        held::<S, R>(service, by, request.on()).await
    }
}

impl<O, S, P, R> Enforce<O, S> for FourEyes<P, R>
where
    O: On<R::Id> + Sync,
    S: Guard<R, Row: Parties> + Sync,
    P: Identifies,
    R: Right,
{
    type Proof = S::Row;
    fn named(request: &O) -> Option<String> {
        Some(request.on().to_string())
    }
    async fn prove(service: &S, by: Option<&Principal>, request: &O) -> Result<S::Row, Problem> {
        let row = held::<S, R>(service, by, request.on()).await?;
        // The guard may forget it; the layer does not.
        if by.is_none_or(|by| row.parties().any(|party| party == by.id)) {
            return Err(Problem::forbidden("Nobody decides what they made or benefit from.").because("four eyes"));
        }
        Ok(row)
    }
}
