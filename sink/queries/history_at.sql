create or replace function {function} (moment timestamptz)
returns setof {history}
language sql stable
as $$
    select *
    from {history}
    where _event_at <= moment and (valid_to is null or valid_to > moment)
$$
