//! What people get by mail, and what they choose of it.

use super::texts;

texts! {
    my_mails "Mes courriels" "My mails";
    mails_lead "Ce qui touche à la sécurité de votre compte vous est toujours écrit."
        "Whatever concerns the security of your account is always mailed to you.";
    mails_sign_ins "Connexions" "Sign-ins";
    mails_sign_ins_every "Toutes" "Every one";
    mails_sign_ins_new "Nouvel appareil ou nouveau lieu" "New device or place";
    mails_sign_ins_never "Aucune" "None";
    mails_requests "Mes demandes : reçues, puis décidées" "My requests: received, then decided";
    mails_transfers "Virements reçus" "Transfers that arrive";
    email_change_hint "Pour les messages de la banque. Une autre adresse ne vaut qu’une fois confirmée par un lien que nous y envoyons."
        "Where the bank writes to. Another address counts once it is confirmed by a link that we send there.";

    forgot_link "Mot de passe oublié ?" "Forgot your password?";
    forgot_title "Mot de passe oublié" "Forgotten password";
    forgot_lead "Nous enverrons à votre adresse un lien pour choisir un nouveau mot de passe."
        "We send a link to your address, to choose a new password.";
    forgot_who "Identifiant ou adresse e-mail" "Login or e-mail address";
    forgot_ask "Envoyer le lien" "Send the link";
    forgot_again "Demander un autre lien" "Ask for another link";
    forgot_asked_title "Regardez vos courriels" "Look into your mails";
    forgot_asked_lead "Si quelqu’un ici porte ce nom ou a cette adresse, un lien arrive d’ici quelques minutes."
        "If anybody here is called so or has this address, a link arrives within a few minutes.";
    link_works(minutes: &u64) "Il sert une fois, pendant {minutes} minutes." "It works once, for {minutes} minutes.";
    forgot_no_mails "Cette banque n’envoie pas de courriels : elle ne peut pas vous envoyer de lien. Adressez-vous à un agent de la banque, qui s’assurera que c’est bien vous."
        "This bank sends no mails, so it cannot send you a link. Please ask an agent of the bank, who makes sure that it is you.";
    new_password_title "Nouveau mot de passe" "New password";
    new_password_lead "Toutes vos sessions et tous vos jetons prendront fin. Votre second facteur, si vous en avez un, reste demandé."
        "All your sessions and tokens end. Your second factor, if you have one, is still asked for.";
    link_code "Code du courriel" "Code in the mail";
    link_code_hint "Le lien l’apporte d’habitude ; sinon, copiez-le depuis le courriel."
        "The link usually brings it; if not, copy it from the mail.";
    why_reset "Votre mot de passe est changé. Connectez-vous." "Your password is changed. Please sign in.";
    link_ended "Ce lien ne vaut plus : il a servi, un plus récent l’a remplacé, ou il est trop ancien. Demandez-en un autre."
        "This link works no more: it was used, a newer one replaced it, or it is too old. Ask for another one.";
    too_many_links "Trois liens vous ont été envoyés depuis une heure. Cherchez-les, ou attendez."
        "Three links were sent to you within the last hour. Look for them, or wait.";
    address_title "Confirmer mon adresse" "Confirm my address";
    address_lead "La banque vous écrira à l’adresse où vous avez reçu ce lien."
        "The bank will write to you at the address where you got this link.";
    address_on "Aller à la banque" "Go to the bank";
    address_confirm "Confirmer" "Confirm";
    address_taken_title "Adresse confirmée" "Address confirmed";
    address_taken "La banque vous écrit désormais à cette adresse." "The bank writes to you at this address from now on.";
}
