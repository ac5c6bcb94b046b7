//! What every page shares: the way around, forms, lists, and what went wrong.

use super::texts;

texts! {
    skip "Aller au contenu" "Skip to content";
    language "Langue" "Language";
    theme "Apparence" "Appearance";
    theme_auto "Système" "System";
    theme_light "Clair" "Light";
    theme_dark "Sombre" "Dark";
    main_menu "Menu principal" "Main menu";
    not_read "à lire" "to read";
    sign_out "Se déconnecter" "Sign out";
    system_status "État du service" "Service status";
    done_word "C’est fait." "Done.";
    error_word "Erreur :" "Error:";
    something_to_mend "À corriger" "Please correct";
    save "Enregistrer" "Save";
    give_up "Annuler" "Cancel";
    change "Modifier" "Change";
    filter "Filtrer" "Filter";
    clear_filters "Tout effacer" "Clear all";
    since_day "Du" "From";
    until_day "Au" "To";
    all_of_them "Tous" "All";
    paging "Pages" "Pages";
    first_page "Revenir au début" "Back to the start";
    next_page "Page suivante" "Next page";
    nothing_found "Aucun résultat. Élargissez les filtres." "Nothing found. Try fewer filters.";
    nothing_found_yet "Aucun résultat parmi les entrées les plus récentes. Voyez plus loin, ou donnez une période."
        "Nothing found among the newest entries. Look further, or give a period.";
    none_word "Aucun" "None";
    never "Jamais" "Never";
    new_word "Nouveau" "New";
    state "État" "State";
    date_word "Date" "Date";
    name_word "Nom" "Name";
    by_word "par" "by";
    print "Imprimer" "Print";
    copy "Copier" "Copy";
    copied "Copié" "Copied";
    to_start "Retour à l’accueil" "Back to the start";
    tell_us "Si cela se répète, donnez-nous ce numéro :" "If this happens again, tell us this number:";

    named_fault(field: &str, message: &str) "{field} : {message}" "{field}: {message}";
    field_missing "Ce champ est à remplir." "Please fill this in.";
    too_short(least: usize) "Trop court : au moins {least} caractères." "Too short: at least {least} characters.";
    too_long(most: usize) "Trop long : {most} caractères au plus." "Too long: at most {most} characters.";
    unprintable "Contient un caractère qui ne peut pas être affiché, comme un saut de ligne."
        "Holds a character that cannot be shown, such as a line break.";
    login_form "L’identifiant commence par une lettre et peut contenir a-z, des chiffres, « . », « _ » et « - »."
        "A login begins with a letter and may hold a-z, digits, “.”, “_” and “-”.";
    email_form "Ce n’est pas une adresse e-mail, comme nom@exemple.fr." "This is not an e-mail address, such as name@example.org.";
    amount_missing "Indiquez un montant." "Enter an amount.";
    amount_unreadable "Ce n’est pas un montant. Écrivez par exemple 1234,56." "This is not an amount. Write for example 1234.56.";
    amount_ambiguous "Montant ambigu : écrivez 1234 pour mille deux cent trente-quatre, ou 1,23 pour un et des centimes."
        "Ambiguous amount: write 1234 for one thousand two hundred thirty-four, or 1.23 for one and some cents.";
    amount_not_positive "Le montant doit être supérieur à zéro." "The amount must be more than zero.";
    amount_too_large "Ce montant est trop grand." "This amount is too large.";
    amount_decimals(code: &str, most: u8) "Trop de décimales : {most} au plus en {code}." "Too many decimals: at most {most} in {code}.";
    currency_unknown "Cette devise n’existe pas ici." "This currency does not exist here.";
    iban_shape "Ce n’est pas un IBAN : vérifiez le pays et la longueur." "This is not an IBAN: check its country and length.";
    iban_digits "IBAN inexact : un caractère est sans doute mal saisi." "Wrong IBAN: a character is probably mistyped.";
    choose_one "Choisissez dans la liste." "Choose from the list.";
    unacceptable "Cette valeur ne convient pas." "This value does not fit.";

    wrong_not_found "Page introuvable" "Page not found";
    wrong_not_found_words "Cette page n’existe pas, ou vous n’y avez pas accès." "This page does not exist, or you may not see it.";
    wrong_forbidden "Accès refusé" "Not allowed";
    wrong_forbidden_words "Votre rôle ne permet pas d’ouvrir cette page ni de faire cette action."
        "Your role does not allow this page or action.";
    wrong_forged "Formulaire refusé" "Form refused";
    wrong_forged_words "Ce formulaire ne vient pas d’une page ouverte pendant cette session ; rien n’a été fait. Revenez à la page, rechargez-la et recommencez."
        "This form does not come from a page of this session; nothing was done. Go back, reload the page and try again.";
    wrong_conflict "Action impossible" "This cannot be done";
    wrong_busy "Service momentanément indisponible" "Service unavailable for a moment";
    wrong_busy_words "Cela ne peut pas être fait maintenant. Rien n’est perdu : réessayez dans un instant."
        "This cannot be done right now. Nothing is lost: please try again in a moment.";
    wrong_ours "Une erreur de notre côté" "An error on our side";
    wrong_ours_words "Quelque chose n’a pas fonctionné. Si vous envoyiez un formulaire, voyez s’il a été pris en compte avant de recommencer."
        "Something went wrong. If you were sending a form, see whether it was taken before you try again.";
    wrong_large "Le formulaire est trop long." "The form is too long.";
}
