select stripeline.advance(
    $1::text, $2::text[], $3::integer[], $4::bigint[], $5::bigint[], $6::bigint[], $7::integer[]
)
