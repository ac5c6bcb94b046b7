//! Values as PostgreSQL sends and takes them, by the type that the statement declares.

use std::error::Error;

use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type};
use uuid::Uuid;

use crate::{List, Value};

type Written = Result<IsNull, Box<dyn Error + Sync + Send>>;

impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Written {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Bool(it) => checked(it, ty, out),
            Self::Int(it) => match *ty {
                Type::INT4 => i32::try_from(*it)?.to_sql(ty, out),
                Type::INT2 => i16::try_from(*it)?.to_sql(ty, out),
                _ => checked(it, ty, out),
            },
            Self::Text(it) => checked(it, ty, out),
            Self::Bytes(it) => checked(it, ty, out),
            Self::Uuid(it) => checked(it, ty, out),
            Self::List(List::Bools(it)) => checked(it, ty, out),
            Self::List(List::Ints(it)) => checked(it, ty, out),
            Self::List(List::Texts(it)) => checked(it, ty, out),
            Self::List(List::Bytes(it)) => checked(it, ty, out),
            Self::List(List::Uuids(it)) => checked(it, ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, ty: &Type, out: &mut BytesMut) -> Written {
        self.to_sql(ty, out)
    }
}

fn checked<T: ToSql>(value: &T, ty: &Type, out: &mut BytesMut) -> Written {
    if T::accepts(ty) {
        value.to_sql(ty, out)
    } else {
        Err(format!("a parameter is of type {ty}, and another kind of value was given").into())
    }
}

pub(crate) fn decode(row: &tokio_postgres::Row, at: usize) -> Result<Value, String> {
    let Some(column) = row.columns().get(at) else { return Ok(Value::Null) };
    let wrong = |error: tokio_postgres::Error| error.to_string();
    let value = match *column.type_() {
        Type::BOOL => row.try_get::<_, Option<bool>>(at).map_err(wrong)?.map(Value::Bool),
        Type::INT2 => row.try_get::<_, Option<i16>>(at).map_err(wrong)?.map(|it| Value::Int(it.into())),
        Type::INT4 => row.try_get::<_, Option<i32>>(at).map_err(wrong)?.map(|it| Value::Int(it.into())),
        Type::INT8 => row.try_get::<_, Option<i64>>(at).map_err(wrong)?.map(Value::Int),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => {
            row.try_get::<_, Option<String>>(at).map_err(wrong)?.map(Value::Text)
        }
        Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(at).map_err(wrong)?.map(Value::Bytes),
        Type::UUID => row.try_get::<_, Option<Uuid>>(at).map_err(wrong)?.map(Value::Uuid),
        Type::VOID => None,
        ref other => {
            return Err(format!("the column {} is of type {other}: cast it (a sum as bigint)", column.name()));
        }
    };
    Ok(value.unwrap_or(Value::Null))
}
