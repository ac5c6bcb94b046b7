//! Signing in, registering, one's own profile and sessions.

use super::texts;

texts! {
    sign_in "Se connecter" "Sign in";
    login "Identifiant" "Login";
    password "Mot de passe" "Password";
    no_account_yet "Pas encore membre ?" "Not a member yet?";
    register "S’inscrire" "Register";
    sign_in_refused "Identifiant ou mot de passe inexact, ou inscription pas encore activée."
        "The login or the password is wrong, or the registration is not active yet.";
    too_many_tries "Trop d’essais. Attendez quelques minutes avant de recommencer." "Too many attempts. Please wait a few minutes.";
    why_ended "Votre session est terminée. Reconnectez-vous pour continuer." "Your session has ended. Sign in to go on.";
    why_needed "Connectez-vous pour ouvrir cette page." "Sign in to open this page.";
    why_signed_out "Vous êtes déconnecté. À bientôt." "You are signed out. See you soon.";

    register_title "Devenir membre" "Become a member";
    register_lead "Remplissez ce formulaire ; un agent vérifie votre inscription avant la première connexion."
        "Fill in this form; an agent checks your registration before your first sign-in.";
    register_button "Envoyer mon inscription" "Send my registration";
    back_to_sign_in "Vers la connexion" "To the sign-in page";
    first_name "Prénom" "First name";
    last_name "Nom" "Last name";
    email "Adresse e-mail" "E-mail address";
    email_hint "Pour les messages de la banque." "Where the bank writes to.";
    login_hint "3 à 32 lettres ou chiffres ; il vous servira à vous connecter." "3 to 32 letters or digits; you will sign in with it.";
    password_hint "12 caractères au moins. Une phrase que vous seul connaissez convient très bien."
        "At least 12 characters. A sentence that only you know works well.";
    password_again "Le mot de passe, encore une fois" "The password once more";
    passwords_differ "Les deux mots de passe ne sont pas les mêmes." "The two passwords are not the same.";
    password_too_short "Trop court : au moins 12 caractères." "Too short: at least 12 characters.";
    password_too_weak "Ce mot de passe est trop facile à deviner." "This password is too easy to guess.";
    password_too_long "Trop long : 256 octets au plus." "Too long: at most 256 bytes.";
    login_taken "Cet identifiant est déjà pris." "This login is taken already.";
    email_taken "Cette adresse e-mail est déjà utilisée." "This e-mail address is in use already.";

    welcome_title "Inscription envoyée" "Registration sent";
    welcome_lead "Merci. Encore une étape avant votre première connexion." "Thank you. One more step before your first sign-in.";
    welcome_sent "Inscription reçue" "Registration received";
    welcome_checked "Vérification par un agent" "Check by an agent";
    welcome_checked_more "En attente. D’ici là, la connexion est refusée." "Waiting. Until then, signing in is refused.";
    welcome_sign_in "Première connexion" "First sign-in";

    my_profile "Mon profil" "My profile";
    my_details "Mes coordonnées" "My details";
    security "Sécurité" "Security";
    previous_sign_in "Connexion précédente" "Previous sign-in";
    previous_on "Connexion précédente le" "Previous sign-in on";
    change_password "Changer de mot de passe" "Change password";
    change_password_lead "Vos autres sessions seront terminées." "Your other sessions will end.";
    old_password "Mot de passe actuel" "Present password";
    old_password_wrong "Ce n’est pas votre mot de passe actuel." "This is not your present password.";
    new_password "Nouveau mot de passe" "New password";
    my_sessions "Mes sessions" "My sessions";
    this_session "Celle-ci" "This one";
    session_seen "Vue" "Seen";
    session_began "ouverte" "opened";
    end_session "Déconnecter" "Sign out there";
    unknown_device "Appareil inconnu" "Unknown device";
    browser_on(browser: &str, system: &str) "{browser} sur {system}" "{browser} on {system}";
}
