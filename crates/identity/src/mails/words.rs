//! What mails say, in French and English. No amount, no balance, no account; no secret but a link where that is the point.

use contracts::events::Action;

use super::letter::{About, Link};

pub(super) struct Words {
    pub(super) subject: String,
    pub(super) paragraphs: Vec<String>,
    pub(super) link: Option<Link>,
    /// What the link carries, under its name.
    pub(super) code: Option<(String, String)>,
}

/// The words for an action that people are told of.
pub(super) fn of(action: Action, detail: Option<&str>, about: &About<'_>) -> Option<Words> {
    linked(action, about)
        .or_else(|| account(action, about))
        .or_else(|| sign_in(action, detail, about))
        .or_else(|| security(action, about))
        .or_else(|| request(action, about))
        .or_else(|| received(action, about))
}

/// Words with a link to the bank's own pages.
fn words(about: &About<'_>, subject: (&str, &str), paragraphs: Vec<String>) -> Words {
    let link = about.origin.map(|origin| Link {
        words: about.say("Ouvrir la banque", "Open the bank"),
        address: format!("{}/", origin.trim_end_matches('/')),
    });
    Words { subject: about.say(subject.0, subject.1), paragraphs, link, code: None }
}

/// A mail whose point is a link. What the link carries stands behind `#`, where no server, log or other site ever sees it;
/// it is told apart for browsers without scripts, where the page asks for it.
fn linked(action: Action, about: &About<'_>) -> Option<Words> {
    let (code, origin) = (about.code?, about.origin?.trim_end_matches('/'));
    let (subject, text, path, button) = match action {
        Action::PasswordResetAsked => (
            ("un nouveau mot de passe", "a new password"),
            about.say(
                "Quelqu’un, vous sans doute, a demandé un nouveau mot de passe pour votre accès. Le lien ci-dessous permet de le \
                 choisir : il sert une fois, pendant une demi-heure, et remplace les précédents. Votre second facteur, si vous en avez un, reste \
                 demandé. Si vous n’avez rien demandé, ignorez ce message : rien n’a changé.",
                "Somebody, probably you, asked for a new password for your access. With the link below you choose it: it works \
                 once, for half an hour, and replaces earlier ones. Your second factor, if you have one, is still asked for. If you did not ask for \
                 this, ignore this message: nothing has changed.",
            ),
            "sign-in/new-password",
            about.say("Choisir un nouveau mot de passe", "Choose a new password"),
        ),
        Action::EmailChangeAsked => (
            ("confirmez votre adresse", "confirm your address"),
            about.say(
                "Vous voulez recevoir ici les messages de la banque. Confirmez-le par le lien ci-dessous : il sert une fois, \
                 pendant une demi-heure. Si vous n’avez rien demandé, ignorez ce message.",
                "You want the bank to write to you here. Please confirm it by the link below: it works once, for half an hour. \
                 If you did not ask for this, ignore this message.",
            ),
            "sign-in/new-address",
            about.say("Confirmer cette adresse", "Confirm this address"),
        ),
        _ => return None,
    };
    let link = Some(Link { words: button, address: format!("{origin}/{path}#code={code}") });
    let name = about.say("Si la page demande le code :", "If the page asks for the code:");
    let code = Some((name, code.to_owned()));
    Some(Words { subject: about.say(subject.0, subject.1), paragraphs: vec![text], link, code })
}

fn account(action: Action, about: &About<'_>) -> Option<Words> {
    let (subject, text) = match action {
        Action::Registered => (
            ("votre inscription a été reçue", "your registration was received"),
            about.say(
                "Nous avons reçu votre demande d’inscription. Un agent l’examine ; vous recevrez un message dès qu’elle sera \
                 décidée. Si vous n’avez rien demandé, vous pouvez ignorer ce message.",
                "We received your registration. An agent looks at it; you get another message when it is decided. If you did \
                 not ask for this, you may ignore this message.",
            ),
        ),
        Action::UserActivated => (
            ("votre accès est ouvert", "you can sign in now"),
            about.say(
                "Votre inscription a été acceptée : vous pouvez vous connecter dès maintenant.",
                "Your registration was accepted: you can sign in from now on.",
            ),
        ),
        Action::UserRejected => (
            ("votre inscription n’a pas été acceptée", "your registration was not accepted"),
            about.say(
                "Votre demande d’inscription n’a pas été acceptée. Adressez-vous à la banque si vous pensez que c’est une \
                 erreur.",
                "Your registration was not accepted. Please contact the bank if you think that this is a mistake.",
            ),
        ),
        Action::UserDisabled => (
            ("votre accès est fermé", "your access was closed"),
            about.say(
                "Votre accès a été désactivé et toutes vos sessions sont terminées. Adressez-vous à la banque pour toute \
                 question.",
                "Your access was disabled and all your sessions have ended. Please contact the bank if you have questions.",
            ),
        ),
        _ => return None,
    };
    Some(words(about, subject, vec![text]))
}

fn sign_in(action: Action, detail: Option<&str>, about: &About<'_>) -> Option<Words> {
    if action != Action::Login {
        return None;
    }
    let subject = match detail {
        Some(_) => ("connexion depuis un nouvel appareil ou un nouveau lieu", "sign-in from a new device or place"),
        None => ("connexion à votre compte", "sign-in to your account"),
    };
    let what = match detail {
        Some(_) => about.say(
            "Quelqu’un s’est connecté sous votre nom depuis un appareil ou un réseau que nous ne connaissions pas, le",
            "Somebody signed in as you with a device or from a network that we did not know, on",
        ),
        None => about.say("Quelqu’un s’est connecté sous votre nom, le", "Somebody signed in as you, on"),
    };
    Some(words(about, subject, vec![format!("{what} {}.", about.when()), not_you(about)]))
}

fn security(action: Action, about: &About<'_>) -> Option<Words> {
    let (subject, what) = match action {
        Action::PasswordChanged => (
            ("votre mot de passe a été changé", "your password was changed"),
            ("Votre mot de passe a été changé", "Your password was changed"),
        ),
        Action::PasswordReset => (
            ("votre mot de passe a été remplacé", "your password was replaced"),
            (
                "Votre mot de passe a été remplacé, grâce à un lien envoyé par courriel ou par la banque elle-même ; toutes vos sessions sont terminées",
                "Your password was replaced, through a link that was sent by mail or by the bank itself; all your sessions have ended",
            ),
        ),
        Action::EmailChangeAsked => (
            ("changement d’adresse demandé", "change of address asked for"),
            (
                "Quelqu’un a demandé que la banque vous écrive à une autre adresse, où un lien a été envoyé",
                "Somebody asked the bank to write to you at another address, and a link was sent there",
            ),
        ),
        Action::EmailChanged => (
            ("votre adresse a été changée", "your address was changed"),
            (
                "La banque vous écrit désormais à une autre adresse, confirmée",
                "The bank writes to you at another address from now on, confirmed",
            ),
        ),
        Action::TotpEnabled => (
            ("application d’authentification ajoutée", "authenticator app set up"),
            ("Une application d’authentification a été ajoutée", "An authenticator app was set up"),
        ),
        Action::TotpDisabled => (
            ("application d’authentification retirée", "authenticator app removed"),
            ("Votre application d’authentification a été retirée", "Your authenticator app was removed"),
        ),
        Action::PasskeyAdded => {
            (("clé d’accès ajoutée", "passkey added"), ("Une clé d’accès a été ajoutée", "A passkey was added"))
        }
        Action::PasskeyRemoved => (
            ("clé d’accès retirée", "passkey removed"),
            ("Une de vos clés d’accès a été retirée", "One of your passkeys was removed"),
        ),
        Action::RecoveryCodesMade => (
            ("nouveaux codes de secours", "new recovery codes"),
            (
                "De nouveaux codes de secours ont été créés ; les anciens ne valent plus",
                "New recovery codes were made; the old ones hold no more",
            ),
        ),
        Action::RecoveryCodeUsed => (
            ("un code de secours a été utilisé", "a recovery code was used"),
            ("Un de vos codes de secours a servi à une connexion", "One of your recovery codes was used to sign in"),
        ),
        Action::FactorResetAsked => (
            ("second facteur déclaré perdu", "second factor reported lost"),
            (
                "Quelqu’un qui connaît votre mot de passe a déclaré que votre second facteur est perdu",
                "Somebody who knows your password reported your second factor as lost",
            ),
        ),
        Action::FactorResetProposed => (
            ("retrait de votre second facteur proposé", "removal of your second factor proposed"),
            ("Un agent a proposé de retirer votre second facteur", "An agent proposed to remove your second factor"),
        ),
        Action::FactorResetApproved => (
            ("votre second facteur a été retiré", "your second factor was removed"),
            ("Votre second facteur a été retiré", "Your second factor was removed"),
        ),
        Action::FactorResetRejected => (
            ("retrait de votre second facteur refusé", "removal of your second factor refused"),
            ("Le retrait de votre second facteur a été refusé", "The removal of your second factor was refused"),
        ),
        Action::TokenMade => (
            ("jeton personnel créé", "personal token made"),
            ("Un jeton personnel a été créé", "A personal token was made"),
        ),
        Action::RefreshReused => (
            ("une session a été terminée par précaution", "a session was ended as a precaution"),
            (
                "Un secret d’une de vos sessions a été utilisé deux fois, peut-être volé ; la session a été terminée",
                "A secret of one of your sessions was used twice and may be stolen; the session was ended",
            ),
        ),
        _ => return None,
    };
    let what = format!("{}{} {}.", about.say(what.0, what.1), about.say(", le", ", on"), about.when());
    Some(words(about, subject, vec![what, not_you(about)]))
}

fn not_you(about: &About<'_>) -> String {
    about.say(
        "Si c’était vous, il n’y a rien à faire. Sinon, changez votre mot de passe, terminez vos autres sessions sur la page \
         Sécurité et prévenez la banque.",
        "If this was you, there is nothing to do. If not, change your password, end your other sessions on the page Security \
         and tell the bank.",
    )
}

/// What was asked for, from the first words of the action's name, and what became of it, from its last.
fn request(action: Action, about: &About<'_>) -> Option<Words> {
    let (kind, step) = action.name().rsplit_once('_')?;
    let (fr, en) = match kind {
        "OPEN_ACCOUNT" => ("ouverture d’un compte", "opening an account"),
        "CLOSE_ACCOUNT" => ("clôture d’un compte", "closing an account"),
        "RENEW_IBAN" => ("nouveau numéro de compte", "a new account number"),
        "DEPOSIT" => ("dépôt", "a deposit"),
        "WITHDRAWAL" => ("retrait", "a withdrawal"),
        "TRANSFER" => ("virement", "a transfer"),
        _ => return None,
    };
    let (subject, text) = match step {
        "REQUESTED" => (
            ("demande reçue", "request received"),
            (
                "Nous avons reçu votre demande. Un agent la décidera.",
                "We received your request. An agent is going to decide it.",
            ),
        ),
        "APPROVED" => (
            ("demande approuvée", "request approved"),
            ("Votre demande a été approuvée.", "Your request was approved."),
        ),
        "REJECTED" => (
            ("demande refusée", "request rejected"),
            (
                "Votre demande a été refusée. Connectez-vous pour en voir la raison.",
                "Your request was rejected. Sign in to see why.",
            ),
        ),
        "EXPIRED" => (
            ("demande expirée", "request expired"),
            (
                "Votre demande n’a pas été décidée à temps et ne vaut plus. Vous pouvez en faire une nouvelle.",
                "Your request was not decided in time and holds no more. You may make a new one.",
            ),
        ),
        _ => return None,
    };
    let subject = (format!("{} ({fr})", subject.0), format!("{} ({en})", subject.1));
    let more = about.say("Connectez-vous pour voir les détails.", "Sign in to see the details.");
    Some(words(about, (&subject.0, &subject.1), vec![about.say(text.0, text.1), more]))
}

fn received(action: Action, about: &About<'_>) -> Option<Words> {
    if action != Action::TransferReceived {
        return None;
    }
    let text = about.say(
        "Un virement est arrivé sur un de vos comptes. Connectez-vous pour le voir.",
        "A transfer arrived in one of your accounts. Sign in to see it.",
    );
    Some(words(about, ("un virement est arrivé", "a transfer arrived"), vec![text]))
}
