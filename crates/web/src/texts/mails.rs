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
}
