-- SPDX-License-Identifier: MIT
-- Has the server generate a piece of the world, then works for two hundred steps and stops.
local STEPS = 200
local step_number = 0

local function step()
    step_number = step_number + 1
    minetest.log("action", "LAB step " .. step_number)
    local points = {}
    for i = 1, 500 do points[i] = vector.new(i, step_number, i * 2) end
    for _ = 1, 20 do
        minetest.find_nodes_in_area(
            { x = -20, y = -10, z = -20 }, { x = 20, y = 10, z = 20 },
            { "group:stone", "default:dirt_with_grass" })
    end
    if step_number < STEPS then
        minetest.after(0, step)
    else
        minetest.request_shutdown("done")
    end
end

minetest.after(0, function()
    minetest.emerge_area(
        { x = -128, y = -48, z = -128 }, { x = 128, y = 48, z = 128 },
        function(_, _, remaining)
            if remaining == 0 then step() end
        end)
end)
