from {shadow} as staged
join {difference} as found on {staged_same}
where found.number > $1 and found.number <= $2
order by found.number
