//! Second factors, sessions, proving once more who one is, and the way back when a second factor is lost.
#![expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "templates hand over their fields by reference, and say everything through `t`"
)]

use std::time::Duration;

use contracts::identity::Language;
use contracts::scopes::TokenScope;

use super::texts;

texts! {
    code_title "Code de sécurité" "Security code";
    code_lead "Ouvrez votre application d’authentification et recopiez le code qu’elle affiche."
        "Open your authenticator app and copy the code that it shows.";
    code "Code" "Code";
    code_hint "6 chiffres, ou un de vos codes de secours." "6 digits, or one of your recovery codes.";
    code_check "Vérifier" "Verify";
    code_wrong "Ce code n’est pas le bon, ou il a déjà servi. Attendez le suivant, ou prenez un code de secours."
        "This is not the right code, or it was used before. Wait for the next one, or take a recovery code.";
    code_missing "Votre second facteur est demandé en plus du mot de passe." "Your second factor is asked for besides the password.";
    app_code_hint "Les 6 chiffres que l’application affiche maintenant." "The 6 digits that the app shows now.";
    app_code_wrong "Ce n’est pas le code que l’application affiche maintenant. Vérifiez l’heure de l’appareil, puis essayez le code suivant."
        "This is not the code that the app shows now. Check the clock of the device, then try the next code.";
    proof_refused "Mot de passe ou code inexact. Un code ne sert qu’une fois : attendez le suivant."
        "The password or the code is wrong. A code works once: wait for the next one.";
    why_late "Le temps pour saisir le code est passé. Recommencez." "The time to enter the code is over. Please begin again.";

    lost_link "J’ai perdu mon second facteur" "I lost my second factor";
    lost_title "Second facteur perdu" "Lost second factor";
    lost_lead "Un code de secours remplace le code de l’application. Si vous n’en avez plus, la banque peut retirer votre second facteur."
        "A recovery code stands in for the code of the app. If you have none left, the bank can remove your second factor.";
    lost_how "Un agent vous contacte et vérifie que c’est bien vous, puis un second agent confirme. Vous vous connecterez ensuite avec votre mot de passe seul."
        "An agent gets in touch and makes sure that it is you, then a second agent confirms. You then sign in with your password alone.";
    lost_ask "Prévenir la banque" "Tell the bank";
    lost_back "J’ai un code" "I have a code";
    lost_asked_title "La banque est prévenue" "The bank knows";
    lost_asked "Un agent va vous contacter. Prévoyez une pièce d’identité." "An agent will get in touch. Have an identity document at hand.";

    prove_title "C’est bien vous ?" "Is it really you?";
    prove_lead "Cette action touche à la sécurité de votre compte : confirmez votre identité. Vous reviendrez ensuite à votre page."
        "This concerns the security of your account: please confirm who you are. You then go back to your page.";
    prove "Confirmer" "Confirm";

    manage_security "Gérer ma sécurité" "Manage my security";
    second_factor "Second facteur" "Second factor";
    is_on "Activé" "On";
    is_off "Désactivé" "Off";
    totp "Application d’authentification" "Authenticator app";
    totp_explained "Après le mot de passe, un code que seul votre téléphone affiche. Un mot de passe volé ne suffit plus."
        "After the password, a code that only your phone shows. A stolen password is then not enough.";
    totp_since "Activée le" "On since";
    set_up "Configurer" "Set up";
    turn_off "Désactiver…" "Turn off…";
    turn_off_explained "Le mot de passe seul suffira pour se connecter, et vos codes de secours ne serviront plus."
        "The password alone will be enough to sign in, and your recovery codes will work no more.";
    turn_off_now "Désactiver l’application" "Turn the app off";
    enrol_again "Votre second facteur perdu a été retiré. Configurez-en un nouveau." "Your lost second factor was removed. Please set up a new one.";
    recovery_codes "Codes de secours" "Recovery codes";
    codes_left(left: &u32) "Codes qui restent : {left}" "Codes left: {left}";
    codes_none_left "Il ne reste aucun code : faites-en de nouveaux." "No code is left: make new ones.";
    codes_explained "Pour le jour où votre téléphone est perdu ou cassé." "For the day when your phone is lost or broken.";
    new_codes "Faire de nouveaux codes" "Make new codes";
    new_codes_explained "Les anciens ne serviront plus." "The old ones will work no more.";

    totp_title "Configurer l’application" "Set up the app";
    totp_scan "Lisez ce carré avec votre application" "Scan this square with your app";
    totp_scan_more "Par exemple Aegis, 2FAS, Google Authenticator, ou votre gestionnaire de mots de passe."
        "For example Aegis, 2FAS, Google Authenticator, or your password manager.";
    totp_picture "Carré à lire avec une application d’authentification" "Square to be scanned with an authenticator app";
    totp_type "Ou saisissez cette clé" "Or type this key";
    totp_open "Ouvrir dans l’application de cet appareil" "Open in this device’s app";
    totp_then "Recopiez le code affiché" "Copy the code that is shown";
    totp_confirm "Activer" "Turn on";

    codes_title "Vos codes de secours" "Your recovery codes";
    codes_once "Cette page ne sera plus jamais affichée. Imprimez ces codes ou recopiez-les, et gardez-les loin de votre téléphone."
        "This page is never shown again. Print these codes or copy them, and keep them away from your phone.";
    codes_each "Chaque code remplace une fois celui de l’application." "Each code stands in once for the one of the app.";
    codes_of(login: &str) "Codes de secours de {login}" "Recovery codes of {login}";
    codes_kept "Je les ai gardés" "I have kept them";

    passkeys "Clés d’accès" "Passkeys";
    passkey_explained "Une clé d’accès (passkey) vous connecte d’un doigt, d’un regard ou d’un code PIN, sans mot de passe à voler."
        "A passkey signs you in by a finger, a face or a PIN, without a password that could be stolen.";
    passkey_add "Ajouter une clé d’accès" "Add a passkey";
    passkey_make "Créer la clé d’accès" "Create the passkey";
    passkey_name "Nom de la clé" "Name of the passkey";
    passkey_name_hint "Pour la reconnaître : « Téléphone », « Clé USB »." "To tell it from others: “Phone”, “USB key”.";
    passkey_no_script "Votre navigateur ne propose pas de clés d’accès ici, ou JavaScript est coupé." "Your browser offers no passkeys here, or JavaScript is off.";
    passkey_failed "Le navigateur n’a pas donné de clé d’accès. Réessayez, ou prenez un autre moyen."
        "The browser gave no passkey. Try again, or use another way.";
    passkey_not_taken "Cette clé d’accès n’a pas été acceptée. Réessayez, ou prenez un autre moyen."
        "This passkey was not accepted. Try again, or use another way.";
    passkey_too_many "Il y a déjà 20 clés d’accès. Supprimez celles qui ne servent plus." "There are 20 passkeys already. Remove those that are not used.";
    passkey_sign_in "Se connecter avec une clé d’accès" "Sign in with a passkey";
    passkey_use "Utiliser une clé d’accès" "Use a passkey";
    passkey_added_on "Ajoutée le" "Added on";
    passkey_used "Dernier usage" "Last used";
    passkey_place "Gardée" "Kept";
    passkey_synced "sur plusieurs appareils" "on several devices";
    passkey_bound "sur un seul appareil" "on one device only";
    passkey_remove_dots "Supprimer cette clé…" "Remove this passkey…";
    passkey_remove "Supprimer la clé" "Remove the passkey";
    passkey_remove_explained "Elle ne connectera plus. Supprimez-la aussi de l’appareil qui la garde." "It will sign in no more. Remove it from the device that keeps it, too.";

    tokens "Jetons personnels" "Personal tokens";
    tokens_manage "Gérer mes jetons" "Manage my tokens";
    tokens_lead "Pour vos propres programmes. Un jeton remplace votre mot de passe et ne permet que ce que vous choisissez."
        "For your own programs. A token stands in for your password and allows only what you choose.";
    tokens_present "Mes jetons" "My tokens";
    token_new "Nouveau jeton" "New token";
    token_name_hint "Par exemple le programme qui s’en servira." "For example the program that will use it.";
    token_lasts "Valable" "Valid for";
    days(count: &u16) "{count} jours" "{count} days";
    token_good_for "Il permet de" "It allows to";
    token_needs_scope "Choisissez au moins une permission." "Choose at least one permission.";
    token_make "Créer le jeton" "Create the token";
    token_made "Votre nouveau jeton" "Your new token";
    token_once "Copiez-le maintenant : il ne sera plus jamais affiché." "Copy it now: it is never shown again.";
    token_kept "Je l’ai copié" "I have copied it";
    token_ends "Expire le" "Ends on";
    token_made_on "créé le" "made on";
    token_bound "lié à une clé" "bound to a key";
    token_revoke "Révoquer" "Revoke";
    token_revoke_this(name: &str) "Révoquer : {name}" "Revoke: {name}";

    end_others "Déconnecter toutes les autres" "Sign out everywhere else";

    resets "Seconds facteurs perdus" "Lost second factors";
    reset_title "Retirer un second facteur" "Remove a second factor";
    reset_state_proposed "À approuver" "To approve";
    reset_state_asked "Identité à vérifier" "Identity to check";
    reset_made_sure "Identité vérifiée" "Identity check";
    reset_see_person "Vérifier son identité, puis proposer depuis sa page" "Check who they are, then propose it from their page";
    reset_approve_explained "Le second facteur est retiré et toutes les sessions de cette personne se ferment."
        "The second factor is removed and all sessions of this person end.";
    reset_reason_hint "Lu par le personnel." "Read by staff.";
    resets_lead "Un agent s’assure de qui demande et propose ; un autre approuve." "One agent makes sure who asks and proposes; another one approves.";
    resets_none "Personne n’a perdu son second facteur." "Nobody has lost their second factor.";
    resets_wait(count: &usize) "Seconds facteurs perdus : {count}" "Lost second factors: {count}";
    reset_person "Personne" "Person";
    reset_since "Depuis" "Since";
    reset_proposed_by(login: &str) "Proposé par {login}" "Proposed by {login}";
    reset_not_yours "Pas par vous : un autre membre du personnel, qui peut agir sur cette personne, doit décider."
        "Not by you: another member of staff, who may act on this person, has to decide.";
    reset_open "Le retrait de son second facteur attend." "The removal of their second factor waits.";
    reset_propose "Proposer de retirer le second facteur…" "Propose to remove the second factor…";
    reset_propose_explained "Un autre agent devra approuver. La personne se connectera ensuite avec son mot de passe seul."
        "Another agent has to approve. The person then signs in with the password alone.";
    made_sure "Comment vous vous êtes assuré de son identité" "How you made sure who they are";
    made_sure_hint "Par exemple : carte d’identité vue au guichet." "For example: identity card seen at the counter.";
    propose "Proposer" "Propose";
    unlock "Débloquer la connexion" "Unlock sign-in";
    unlock_explained "Après trop d’essais manqués, chacun doit attendre. Ceci met fin à l’attente." "After too many failed tries everyone has to wait. This ends the wait.";

    p_totp_on "Une application est déjà configurée. Désactivez-la d’abord." "An app is set up already. Turn it off first.";
    p_totp_not_begun "La configuration n’est plus valable. Recommencez." "The set-up is no longer valid. Please begin again.";
    p_no_second_factor "Il n’y a pas de second facteur." "There is no second factor.";
    p_reset_open "Le retrait est déjà proposé ; un collègue décide." "The removal is proposed already; a colleague decides.";
    too_many_tries_wait(wait: &str) "Trop d’essais. Attendez encore {wait} avant de recommencer." "Too many attempts. Please wait {wait} before you try again.";
    one_second "1 seconde" "1 second";
    seconds(count: u64) "{count} secondes" "{count} seconds";
    one_minute "1 minute" "1 minute";
    minutes(count: u64) "{count} minutes" "{count} minutes";
}

impl super::T {
    /// What a token allows, in a word.
    pub(crate) fn scope_name(self, scope: &TokenScope) -> &'static str {
        match (scope, self.0) {
            (TokenScope::Read, Language::Fr) => "lire",
            (TokenScope::Read, Language::En) => "read",
            (TokenScope::Pay, Language::Fr) => "payer",
            (TokenScope::Pay, Language::En) => "pay",
            (TokenScope::Introspect, Language::Fr) => "contrôler",
            (TokenScope::Introspect, Language::En) => "introspect",
        }
    }

    /// What a token allows.
    pub(crate) fn scope_explained(self, scope: &TokenScope) -> &'static str {
        match (scope, self.0) {
            (TokenScope::Read, Language::Fr) => "Lire : comptes, demandes, historique et profil",
            (TokenScope::Read, Language::En) => "Read: accounts, requests, history and profile",
            (TokenScope::Pay, Language::Fr) => "Payer : demander dépôts, retraits et virements",
            (TokenScope::Pay, Language::En) => "Pay: ask for deposits, withdrawals and transfers",
            (TokenScope::Introspect, Language::Fr) => "Contrôler : demander si un jeton est valable",
            (TokenScope::Introspect, Language::En) => "Introspect: ask whether a token holds",
        }
    }

    /// A short wait, rounded up.
    pub(crate) fn wait(self, wait: Duration) -> String {
        match wait.as_secs() {
            0 | 1 => self.one_second().to_owned(),
            count @ 2..60 => self.seconds(count),
            60 => self.one_minute().to_owned(),
            count => self.minutes(count.div_ceil(60)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::T;

    #[test]
    fn a_wait_is_told_in_seconds_then_in_minutes_never_too_short() {
        let t = T(Language::En);
        let of = |seconds| t.wait(Duration::from_secs(seconds));
        assert_eq!([of(1), of(59), of(60), of(61)], ["1 second", "59 seconds", "1 minute", "2 minutes"]);
    }
}
