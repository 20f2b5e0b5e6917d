-- SPDX-License-Identifier: MIT
-- Tables of records that come and go, then many short strings.
local records = {}
for i = 1, 200000 do
    records[#records + 1] = { id = i, name = "n" .. i, position = { x = i, y = i * 2 } }
    if #records > 5000 then table.remove(records, 1) end
    if i % 20 == 0 then records = {} end
end
local pieces = {}
for i = 1, 20000 do pieces[i] = string.rep("ab", i % 50) end
print(#table.concat(pieces))
