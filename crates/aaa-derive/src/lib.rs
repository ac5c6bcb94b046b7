//! `#[derive(Fields)]`: the names of a request's fields as a constant, so that a path variable which no field bears does
//! not compile. Knows nothing of HTTP.

use proc_macro::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Field, LitStr, parse_macro_input};

/// Implements `aaa::Fields`: the fields' names as serde reads them. Only `#[serde(rename = "…")]` on a field may change
/// one; `rename_all` and `flatten` are refused, since nobody could then see a route's parameters where they are declared.
#[proc_macro_derive(Fields, attributes(serde))]
pub fn fields(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    names(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

fn names(input: &DeriveInput) -> Result<proc_macro2::TokenStream, Error> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(&input.ident, "a request is a struct with named fields"));
    };
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("rename_all") {
                return Err(meta.error("a request names its fields one by one: use `rename` on the field"));
            }
            skip(&meta)
        })?;
    }
    let names = data.fields.iter().map(name).collect::<Result<Vec<_>, _>>()?;
    let (request, (impls, types, bounds)) = (&input.ident, input.generics.split_for_impl());
    Ok(quote! {
        impl #impls ::aaa::Fields for #request #types #bounds {
            const NAMES: &'static [&'static str] = &[#(#names),*];
        }
    })
}

/// As serde reads it.
fn name(field: &Field) -> Result<String, Error> {
    let ident = field.ident.as_ref().ok_or_else(|| Error::new_spanned(field, "a request has named fields"))?;
    let mut name = ident.to_string().trim_start_matches("r#").to_owned();
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("flatten") {
                return Err(meta.error("a request shows its fields where it is declared"));
            }
            if meta.path.is_ident("rename") {
                name = meta.value()?.parse::<LitStr>()?.value();
                return Ok(());
            }
            skip(&meta)
        })?;
    }
    Ok(name)
}

/// Takes an attribute that does not matter here.
fn skip(meta: &syn::meta::ParseNestedMeta<'_>) -> Result<(), Error> {
    if meta.input.peek(syn::Token![=]) {
        meta.value()?.parse::<syn::Expr>()?;
    }
    Ok(())
}
